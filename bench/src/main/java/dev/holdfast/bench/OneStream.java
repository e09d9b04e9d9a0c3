package dev.holdfast.bench;

import dev.holdfast.bench.InferencePart.Measured;
import dev.holdfast.bench.StreamedAnswer.Question;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What the socket costs: one stream through it beside the engine's own loop, in turns. */
record OneStream() implements ServePart {
    @Override
    public String name() {
        return "one";
    }

    @Override
    public boolean isSpeed() {
        return true;
    }

    @Override
    public Measured measure(Scale scale) throws IOException, InterruptedException {
        Path model = scale.model();
        List<Double> engine = new ArrayList<>();
        List<Double> socket = new ArrayList<>();
        Question question = new Question("a b c", scale.tokens());
        for (int run = 0; run < scale.runs(); run++) {
            List<String> options = List.of("-p", "0", "-n", "" + scale.tokens(), "-t", "" + THREADS);
            engine.add(PeerEngine.OURS
                    .bench(model, options)
                    .path("tg_tokens_per_second")
                    .doubleValue());
            try (ServedModel served = ServedModel.start(model, STREAMS, THREADS)) {
                Streams.warmUp(served.api(), question, 1);
                for (int i = 0; i < scale.runs(); i++) {
                    socket.add(StreamedAnswer.ask(served.api(), question).perSecond(scale.tokens()));
                }
            }
        }
        double ours = Streams.median(socket);
        double decode = Streams.median(engine);
        return new Measured(
                ServePart.row(
                        "one stream through the socket",
                        ServePart.format("%.1f tokens/s, `model bench` %.1f, %.2f of it", ours, decode, ours / decode),
                        ServePart.goal("0.95", ours >= 0.95 * decode)),
                List.of());
    }
}
