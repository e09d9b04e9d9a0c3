package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** What somebody names on the command line. Whatever is wrong with it is said with the name. */
final class InputFile {
    private InputFile() {}

    /** A JSON document of at most so many bytes. */
    static JsonNode json(Path file, int maxBytes) throws IOException, RejectedException {
        return of(file.toString(), Json.read(bytes(file, maxBytes), maxBytes));
    }

    /** A JSON object of at most so many bytes. */
    static JsonNode object(Path file, int maxBytes) throws IOException, RejectedException {
        return of(file.toString(), Json.readObject(bytes(file, maxBytes), maxBytes));
    }

    /** One byte more than allowed is enough to refuse a longer file. */
    private static byte[] bytes(Path file, int maxBytes) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return in.readNBytes(maxBytes + 1);
        }
    }

    /** @param name of the file or the option that the value is from */
    static <T> T of(String name, Verdict<T> value) throws RejectedException {
        return switch (value) {
            case Verdict.Accepted<T>(T accepted) -> accepted;
            case Verdict.Rejected<T>(Rejection why) ->
                throw new RejectedException(
                        new Rejection(why.code(), name + ": " + why.detail(), why.offset(), why.field()));
        };
    }
}
