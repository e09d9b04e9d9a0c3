package dev.holdfast.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.terminal.Units;
import java.util.Locale;

/**
 * How far an install is, as the agent's status tells it.
 *
 * @param model which model; empty where none is under way
 * @param version to which version
 * @param state one word of the install's states, in lower case
 * @param bytesDone of the file in transfer, rounded to whole blocks
 * @param bytesTotal 0 where no file is in transfer
 */
record InstallView(String model, String version, String state, long bytesDone, long bytesTotal) {
    private static final InstallView NONE = new InstallView("", "", "", 0, 0);

    /** Of the whole device, or of one entry of its models: the install only counts while it is one. */
    static InstallView of(JsonNode status) {
        JsonNode install = status.path("install");
        if (!status.path("state").asText().equals("installing") || install.isMissingNode()) {
            return NONE;
        }
        long total = install.path("blocksTotal").asLong();
        long bytes = install.path("bytesTotal").asLong();
        return new InstallView(
                install.path("model").asText(status.path("model").asText()),
                install.path("version").asText(),
                word(install.path("state").asText()),
                total <= 0
                        ? 0
                        : Math.min(bytes, (long)
                                ((double) bytes * install.path("blocksDone").asLong() / total)),
                total <= 0 ? 0 : bytes);
    }

    static String word(String state) {
        return state.toLowerCase(Locale.ROOT).replace('_', '-');
    }

    boolean isUnderWay() {
        return !state.isEmpty();
    }

    /** Whether its blocks are on their way. */
    boolean isTransfer() {
        return state.equals("downloading") && bytesTotal > 0;
    }

    /** Such as {@code downloading 2.0.0, 42 % of 24.1 MiB}. */
    String words() {
        String words = state + (version.isEmpty() ? "" : " " + version);
        return isTransfer() ? words + ", " + 100 * bytesDone / bytesTotal + " % of " + Units.bytes(bytesTotal) : words;
    }
}
