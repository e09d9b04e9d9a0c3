package dev.holdfast.agent;

import dev.holdfast.tee.AuthValue;
import java.io.Console;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** The person at a command, where there is one. */
interface Operator {
    /** Whether somebody can be asked. */
    boolean isPresent();

    /** Asks a question; only {@code yes} is yes. */
    boolean agrees(String question);

    /** Asks for a password without showing it. */
    AuthValue password(String what);

    /** Who is at this process's terminal. */
    static Operator atTerminal() {
        Console console = System.console();
        if (console == null || !console.isTerminal()) {
            return new Nobody();
        }
        return new AtTerminal(console);
    }

    /** No terminal: a script. */
    record Nobody() implements Operator {
        @Override
        public boolean isPresent() {
            return false;
        }

        @Override
        public boolean agrees(String question) {
            return false;
        }

        @Override
        public AuthValue password(String what) {
            return AuthValue.EMPTY;
        }
    }

    /** Somebody at a terminal. */
    record AtTerminal(Console console) implements Operator {
        @Override
        public boolean isPresent() {
            return true;
        }

        @Override
        public boolean agrees(String question) {
            String answer = console.readLine("%s (yes/no) ", question);
            return answer != null && answer.strip().equals("yes");
        }

        @Override
        public AuthValue password(String what) {
            char[] typed = console.readPassword("%s: ", what);
            if (typed == null) {
                return AuthValue.EMPTY;
            }
            byte[] bytes = new String(typed).getBytes(StandardCharsets.UTF_8);
            Arrays.fill(typed, '\0');
            try {
                return AuthValue.of(bytes);
            } finally {
                Arrays.fill(bytes, (byte) 0);
            }
        }
    }
}
