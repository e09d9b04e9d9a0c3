package dev.holdfast.engine;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/** The numerical reference files, which are beside the repository and not in it. */
public final class Fixtures {
    private static final int MANIFEST_BYTES = 4 << 20;

    private Fixtures() {}

    /** A file of the fixtures; where the folder is absent the test is skipped, saying so, or fails with HOLDFAST_FIXTURES=required. */
    public static Path path(String name) {
        for (String place : new String[] {"../../shared/fixtures", "../../../shared/fixtures"}) {
            Path folder = Path.of(place);
            if (Files.isDirectory(folder)) {
                return folder.resolve(name);
            }
        }
        String line = "SKIPPED: no reference files in ../shared/fixtures beside the repository";
        System.out.println(line);
        return "required".equals(System.getenv("HOLDFAST_FIXTURES")) ? fail(line) : abort(line);
    }

    public static JsonNode json(String name) throws Exception {
        return Json.read(Files.readAllBytes(path(name)), MANIFEST_BYTES).orThrow();
    }

    static float[] floats(Path path) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
        float[] values = new float[bytes.remaining() / 4];
        bytes.asFloatBuffer().get(values);
        return values;
    }

    public static int[] ints(JsonNode array) {
        int[] values = new int[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.get(i).intValue();
        }
        return values;
    }
}
