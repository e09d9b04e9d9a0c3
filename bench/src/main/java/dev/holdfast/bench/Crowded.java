package dev.holdfast.bench;

import dev.holdfast.bench.InferencePart.Measured;
import dev.holdfast.bench.StreamedAnswer.Question;
import dev.holdfast.testkit.HostileProgram;
import dev.holdfast.testkit.HostileProgram.Attack;
import dev.holdfast.testkit.HostileProgram.User;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** What streams hear of other users of the machine who connect thousands of times, read nothing, and send what is no request, all at once. */
record Crowded() implements ServePart {
    /** Tokens a second of each stream: a pace that the machine keeps up with, so that what is added shows. */
    private static final int PER_SECOND = 25;

    private static final int PACED_STREAMS = 4;
    private static final int ATTACKERS = 100;
    private static final double MOST = 1.5;
    private static final int LIMIT_SECONDS = 60;
    private static final long FIRST_UID = 65_520;

    @Override
    public String name() {
        return "crowd";
    }

    @Override
    public boolean isSpeed() {
        return false;
    }

    @Override
    public Measured measure(Scale scale) throws IOException, InterruptedException {
        Optional<String> setpriv = Tool.onPath("setpriv");
        if (setpriv.isEmpty() || !"root".equals(System.getProperty("user.name"))) {
            return new Measured(
                    ServePart.row(
                            "streams beside a crowd of other users", "not measured: it takes root and `setpriv`", ""),
                    List.of());
        }
        Question question = new Question("turn on", scale.smoke() ? 50 : 400, PER_SECOND);
        try (ServedModel served = ServedModel.start(ServedModel.demo("1.0.0"), STREAMS, THREADS)) {
            UnixDomainSocketAddress api = served.openToAll();
            Streams.warmUp(api, new Question("turn on", 400), PACED_STREAMS);
            double quiet = gap(Streams.together(api, question, PACED_STREAMS));
            Map<Attack, Integer> attacks = new LinkedHashMap<>();
            // Reconnecting keeps connections coming, also when those that only wait were refused.
            attacks.put(Attack.SILENT, scale.connections());
            attacks.put(Attack.RECONNECT, ATTACKERS);
            attacks.put(Attack.UNREAD_STREAM, ATTACKERS);
            attacks.put(Attack.SLOW_HEAD, ATTACKERS);
            attacks.put(Attack.GARBAGE, ATTACKERS);
            List<HostileProgram> programs = new ArrayList<>();
            List<StreamedAnswer> answers;
            try {
                for (Map.Entry<Attack, Integer> each : attacks.entrySet()) {
                    User user = new User(FIRST_UID + programs.size(), FIRST_UID, List.of());
                    programs.add(
                            HostileProgram.start(setpriv.get(), user, each.getKey(), api.getPath(), each.getValue()));
                }
                await(programs);
                answers = Streams.together(api, question, PACED_STREAMS);
            } finally {
                programs.forEach(HostileProgram::close);
            }
            int tried = programs.stream().mapToInt(each -> each.tally().tried()).sum();
            double crowded = gap(answers);
            boolean whole = answers.stream().allMatch(StreamedAnswer::whole) && tried >= scale.connections();
            return new Measured(
                    ServePart.row(
                            ServePart.format("gap between pieces beside %d connections of others, p99", tried),
                            ServePart.format(
                                    "%.1f ms, quiet %.1f ms, %.2f times that", crowded, quiet, crowded / quiet),
                            ServePart.goal("1.5 times", whole && crowded <= MOST * quiet)),
                    List.of(ServePart.bar("gap p99, crowd", crowded, quiet)));
        }
    }

    /** Until each of them has begun. */
    private static void await(List<HostileProgram> programs) throws IOException, InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
        while (programs.stream().anyMatch(each -> each.tally().tried() == 0)) {
            if (System.nanoTime() > end) {
                throw new IOException("a program of another user does not run");
            }
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    private static double gap(List<StreamedAnswer> answers) {
        return Streams.percentile(Streams.gaps(answers), 99);
    }
}
