package dev.holdfast.cli;

import dev.holdfast.control.CommandFailure;
import dev.holdfast.wire.RejectedException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** A conversation at a terminal: a line is a question. A terminal itself bounds a line, to 4,095 bytes on Linux. */
final class Dialogue {
    private final Conversation talk;
    private final BufferedReader lines;

    Dialogue(Conversation talk, InputStream in) {
        this.talk = talk;
        this.lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
    }

    void run() throws IOException {
        System.err.println("/bye ends, /clear forgets, Ctrl-C ends an answer.");
        Interrupt interrupt = Interrupt.install();
        while (true) {
            System.err.print(">>> ");
            System.err.flush();
            String line = lines.readLine();
            if (line == null || line.strip().equals("/bye")) {
                return;
            }
            switch (line.strip()) {
                case "" -> {}
                case "/clear" -> {
                    talk.clear();
                    System.err.println("(forgotten)");
                }
                default -> answer(interrupt, line);
            }
        }
    }

    private void answer(Interrupt interrupt, String line) {
        interrupt.begin();
        Exception failure = null;
        try {
            talk.ask(line);
        } catch (IOException | RejectedException e) {
            failure = e;
        } finally {
            boolean stopped = interrupt.end();
            if (stopped) {
                System.err.println("(stopped)");
            } else if (failure != null) {
                System.err.println(CommandFailure.message(failure));
            }
        }
    }
}
