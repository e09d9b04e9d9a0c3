package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.engine.TinyStore;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The real curl on a Unix socket. */
record Curl(Path socket) {
    /** Status and body of an answer. */
    record Answer(int status, String body) {
        JsonNode json() {
            return TinyStore.node(body);
        }

        /** The payloads of a stream's events. */
        List<String> events() {
            return body.lines()
                    .filter(line -> line.startsWith("data: "))
                    .map(line -> line.substring(6))
                    .toList();
        }
    }

    Answer get(String path) throws Exception {
        return run(List.of("http://localhost" + path), "");
    }

    Answer post(String path, String body) throws Exception {
        return run(
                List.of("-H", "Content-Type: application/json", "--data-binary", "@-", "http://localhost" + path),
                body);
    }

    private Answer run(List<String> arguments, String input) throws Exception {
        Process process = start(arguments);
        try (var out = process.getOutputStream()) {
            out.write(input.getBytes(StandardCharsets.UTF_8));
        }
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
        int at = output.lastIndexOf('\n');
        return new Answer(Integer.parseInt(output.substring(at + 1).trim()), output.substring(0, at));
    }

    /** A curl that runs on its own; its output ends with the status on a line of its own. */
    Process start(List<String> arguments) throws Exception {
        List<String> command = new ArrayList<>(
                List.of("curl", "-sN", "--max-time", "30", "--unix-socket", socket.toString(), "-w", "\n%{http_code}"));
        command.addAll(arguments);
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
    }
}
