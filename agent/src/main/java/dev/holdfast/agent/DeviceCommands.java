package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.TpmQuoteFiles;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.interfaces.ECPublicKey;
import java.security.spec.X509EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What a person asks the running daemons. */
final class DeviceCommands {
    private static final Duration QUICK = Duration.ofSeconds(20);
    private static final Duration SLOW = Duration.ofMinutes(15);

    private DeviceCommands() {}

    /** A question to the agent's control socket, shown as text or JSON. */
    abstract static class Question extends HoldfastCommand.Configured {
        @Option(names = "--json", description = "print JSON")
        boolean json;

        abstract JsonNode ask(UnixHttp http, Path socket) throws IOException, RejectedException;

        @Override
        public Integer call() throws Exception {
            try (UnixHttp http = new UnixHttp()) {
                JsonNode answer = ask(http, config().controlSocket());
                System.out.println(json ? answer.toString() : Json.pretty(answer));
            }
            return 0;
        }

        static JsonNode expect(UnixHttp.Reply reply) throws RejectedException {
            if (reply.status() == 200) {
                return reply.body();
            }
            Code code = Code.byId(reply.body().path("code").asText()).orElse(Code.API_INTERNAL);
            throw new RejectedException(code, reply.body().path("detail").asText());
        }
    }

    @Command(name = "status", description = "Shows model, connection and root of trust.")
    static final class Status extends Question {
        @Override
        JsonNode ask(UnixHttp http, Path socket) throws IOException, RejectedException {
            return expect(http.get(socket, "/v1/status", QUICK));
        }
    }

    @Command(name = "slots", description = "Shows the serving model and the one to fall back to.")
    static final class Slots extends Question {
        @Override
        JsonNode ask(UnixHttp http, Path socket) throws IOException, RejectedException {
            JsonNode status = expect(http.get(socket, "/v1/status", QUICK));
            ObjectNode slots = Json.object();
            slots.set("serving", status.path("serving").isMissingNode() ? null : status.path("serving"));
            slots.set("fallback", status.path("fallback").isMissingNode() ? null : status.path("fallback"));
            return slots;
        }
    }

    @Command(name = "history", description = "Shows every step of every install, with the reasons of failures.")
    static final class History extends Question {
        @Override
        JsonNode ask(UnixHttp http, Path socket) throws IOException, RejectedException {
            return expect(http.get(socket, "/v1/history", QUICK));
        }
    }

    /** What a person asks the agent to do, with the reason that history and report keep. */
    abstract static class Request extends Question {
        @Option(names = "--reason", description = "why, for the history and the fleet")
        String reason = "";

        JsonNode post(UnixHttp http, Path socket, String path, Duration deadline)
                throws IOException, RejectedException {
            return expect(http.post(socket, path, Json.object().put("reason", reason), deadline));
        }
    }

    @Command(name = "rollback", description = "Goes back to the model before; ends an install under way.")
    static final class Rollback extends Request {
        @Override
        JsonNode ask(UnixHttp http, Path socket) throws IOException, RejectedException {
            return post(http, socket, "/v1/rollback", SLOW);
        }
    }

    @Command(name = "pause", description = "Stops updates until resume, across restarts.")
    static final class Pause extends Request {
        @Override
        JsonNode ask(UnixHttp http, Path socket) throws IOException, RejectedException {
            return post(http, socket, "/v1/pause", QUICK);
        }
    }

    @Command(name = "resume", description = "Takes updates again.")
    static final class Resume extends Request {
        @Override
        JsonNode ask(UnixHttp http, Path socket) throws IOException, RejectedException {
            return post(http, socket, "/v1/resume", QUICK);
        }
    }

    @Command(name = "attest", description = "Writes evidence for a nonce.")
    static final class Attest extends HoldfastCommand.Configured {
        @Option(names = "--nonce", required = true, description = "8 to 64 bytes in hexadecimal")
        String nonce = "";

        @Option(names = "--out", required = true, description = "file for the evidence")
        Path out = Path.of("evidence.cbor");

        @Option(names = "--tpm-out", description = "folder for the files that tpm2_checkquote reads")
        @Nullable
        Path tpmOut;

        @Override
        public Integer call() throws Exception {
            try (UnixHttp http = new UnixHttp()) {
                JsonNode answer = Question.expect(http.post(
                        config().controlSocket(), "/v1/attest", Json.object().put("nonce", nonce), QUICK));
                byte[] evidence = Binary.fromHex(answer.path("evidence").asText())
                        .orThrow()
                        .toArray();
                Files.write(out, evidence);
                if (tpmOut != null) {
                    TpmQuoteFiles.write(tpmOut, evidence, attestationKey(answer))
                            .orThrow();
                }
            }
            return 0;
        }

        private static ECPublicKey attestationKey(JsonNode answer) throws RejectedException, GeneralSecurityException {
            byte[] spki = Binary.fromHex(answer.path("attestation_key").asText())
                    .orThrow()
                    .toArray();
            return (ECPublicKey) KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(spki));
        }
    }

    @Command(
            name = "doctor",
            description = "Checks processes, root of trust, fleet and store; exit code 1 when something is broken.")
    static final class Doctor extends HoldfastCommand.Configured {
        @Option(names = "--json", description = "print JSON")
        boolean json;

        @Override
        public Integer call() throws RejectedException {
            Checkup checkup = Checkup.of(config());
            System.out.print(json ? checkup.json() + "\n" : checkup.text());
            return checkup.isHealthy() ? 0 : 1;
        }
    }

    @Command(name = "watch", description = "Follows what the agent does, a line for each change, until interrupted.")
    static final class Watch extends HoldfastCommand.Configured {
        private static final Duration POLL = Duration.ofMillis(500);

        @Option(names = "--json", description = "print the status as a line of JSON for each change")
        boolean json;

        @Option(names = "--seconds", description = "end after so many seconds", defaultValue = "2147483647")
        int seconds = Integer.MAX_VALUE;

        @Override
        public Integer call() throws RejectedException, InterruptedException {
            Path socket = config().controlSocket();
            long end = System.nanoTime() + Duration.ofSeconds(seconds).toNanos();
            String last = "";
            try (UnixHttp http = new UnixHttp()) {
                while (System.nanoTime() < end) {
                    String now = line(http, socket);
                    if (!now.equals(last)) {
                        System.out.println(json ? now : Instant.now().truncatedTo(ChronoUnit.SECONDS) + "  " + now);
                        last = now;
                    }
                    Thread.sleep(POLL);
                }
            }
            return 0;
        }

        private String line(UnixHttp http, Path socket) {
            try {
                JsonNode status = Question.expect(http.get(socket, "/v1/status", QUICK));
                return json ? status.toString() : line(status);
            } catch (IOException | RejectedException e) {
                return json ? Json.object().put("state", "no answer").toString() : "the agent does not answer";
            }
        }

        /** Whole columns, and progress in steps of whole percents, so that nothing jitters. */
        private static String line(JsonNode status) {
            String model = status.has("model")
                    ? status.path("model").asText() + "@"
                            + status.path("version").asText()
                    : "no model";
            String state =
                    status.path("connected").asBoolean() ? status.path("state").asText() : "offline";
            StringBuilder out = new StringBuilder("%-10s serves %-24s".formatted(state, model));
            JsonNode install = status.path("install");
            int total = install.path("blocksTotal").asInt();
            if (total > 0) {
                out.append("  %-14s %3d %%"
                        .formatted(
                                install.path("state").asText(),
                                100 * install.path("blocksDone").asInt() / total));
            }
            JsonNode rejection = status.path("lastRejection");
            if (!rejection.isMissingNode()) {
                out.append("  ").append(rejection.path("code").asText());
            }
            return out.toString().stripTrailing();
        }
    }

    @Command(name = "run", description = "Asks the serving model one question.")
    static final class Run extends HoldfastCommand.Configured {
        @Option(names = "--model", description = "name of the model; the serving one by default")
        Optional<String> model = Optional.empty();

        @Parameters(paramLabel = "PROMPT")
        String prompt = "";

        @Override
        public Integer call() throws Exception {
            ObjectNode body = Json.object();
            model.ifPresent(name -> body.put("model", name));
            body.putArray("messages").addObject().put("role", "user").put("content", prompt);
            try (UnixHttp http = new UnixHttp()) {
                UnixHttp.Reply reply = http.post(config().inference().apiSocket(), "/v1/chat/completions", body, SLOW);
                if (reply.status() != 200) {
                    JsonNode error = reply.body().path("error");
                    throw new RejectedException(
                            Code.byId(error.path("code").asText()).orElse(Code.API_INTERNAL),
                            error.path("message").asText());
                }
                System.out.println(reply.body().at("/choices/0/message/content").asText());
            }
            return 0;
        }
    }
}
