package dev.holdfast.agent;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * How this process is confined, as the kernel says in {@code /proc/self/status}: {@code seccomp} off, strict or filter,
 * {@code no-new-privileges} yes or no, {@code capabilities} in hexadecimal.
 */
final class ProcessConfinement {
    private static final Path STATUS = Path.of("/proc/self/status");

    private ProcessConfinement() {}

    static Map<String, String> read() {
        return read(STATUS);
    }

    static Map<String, String> read(Path status) {
        Map<String, String> facts = new TreeMap<>();
        try {
            for (String line : Files.readAllLines(status, StandardCharsets.ISO_8859_1)) {
                int colon = line.indexOf(':');
                String value = line.substring(colon + 1).strip();
                switch (line.substring(0, Math.max(0, colon))) {
                    case "Seccomp" -> facts.put("seccomp", seccomp(value));
                    case "NoNewPrivs" -> facts.put("no-new-privileges", value.equals("1") ? "yes" : "no");
                    case "CapEff" -> facts.put("capabilities", value.replaceFirst("^0+(?=.)", ""));
                    default -> {}
                }
            }
        } catch (IOException e) {
            facts.put("status", "unreadable");
        }
        return facts;
    }

    private static String seccomp(String mode) {
        return switch (mode) {
            case "0" -> "off";
            case "1" -> "strict";
            case "2" -> "filter";
            default -> mode;
        };
    }
}
