package dev.holdfast.bench;

import dev.holdfast.bench.InferencePart.Bar;
import dev.holdfast.bench.InferencePart.Measured;
import dev.holdfast.bench.StreamedAnswer.Question;
import java.io.IOException;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Eight streams at once beside one, here and at {@code llama-server} with as many slots. */
record EightStreams() implements ServePart {
    private static final String PEER = "llama-server";

    /** Tokens a second by the clock. */
    private record Speeds(double one, double eight) {
        double ratio() {
            return eight / one;
        }
    }

    @Override
    public String name() {
        return "streams";
    }

    @Override
    public boolean isSpeed() {
        return true;
    }

    @Override
    public Measured measure(Scale scale) throws IOException, InterruptedException {
        Path model = scale.model();
        Speeds ours;
        try (ServedModel served = ServedModel.start(model, STREAMS, THREADS)) {
            ours = speeds(served.api(), scale);
        }
        StringBuilder rows = new StringBuilder(ServePart.row(
                STREAMS + " streams at once, of all together by the clock",
                told(ours),
                ServePart.goal("2.5 times one", ours.ratio() >= 2.5)));
        Speeds peer = new Speeds(Double.NaN, Double.NaN);
        if (Tool.onPath(PEER).isPresent()) {
            try (LlamaServer server = LlamaServer.start(model, THREADS, STREAMS)) {
                peer = speeds(server.address(), scale);
            }
            double lead = ours.eight / peer.eight;
            rows.append(ServePart.row(
                    "the same of `llama-server -np " + STREAMS + "`",
                    told(peer) + ServePart.format("; ours is %.2f times that", lead),
                    ServePart.goal("1.2 times", lead >= 1.2)));
        } else {
            rows.append(ServePart.row("the same of `llama-server`", "absent: not on the PATH", ""));
        }
        return new Measured(
                rows.toString(),
                List.<Bar>of(
                        ServePart.bar("1 stream", ours.one, peer.one),
                        ServePart.bar(STREAMS + " streams", ours.eight, peer.eight)));
    }

    private static String told(Speeds speeds) {
        return ServePart.format(
                "%.1f tokens/s, one stream %.1f, %.2f times that", speeds.eight, speeds.one, speeds.ratio());
    }

    private static Speeds speeds(SocketAddress address, Scale scale) throws IOException, InterruptedException {
        Question question = new Question("a b c", scale.tokens());
        Streams.warmUp(address, question, STREAMS);
        List<Double> one = new ArrayList<>();
        List<Double> eight = new ArrayList<>();
        for (int run = 0; run < scale.runs(); run++) {
            one.add(Streams.perSecond(address, question, 1));
            eight.add(Streams.perSecond(address, question, STREAMS));
        }
        return new Speeds(Streams.median(one), Streams.median(eight));
    }
}
