package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.control.Pointer;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelStoreTest {
    @TempDir
    Path folder;

    @Test
    void removesNoModelWhileThePointerDoesNotRead() throws Exception {
        ModelStore.open(folder);
        byte[] model = {1, 2, 3};
        Path blob = Files.write(folder.resolve("blobs").resolve(Sha256.of(model).hex()), model);
        Path pointer = Files.writeString(folder.resolve(Pointer.FILE_NAME), "{\"format\":1,\"serving\":");
        ModelStore.open(folder).collect(List.of());
        assertThat(blob).exists();
        Files.delete(pointer);
        ModelStore.open(folder).collect(List.of());
        assertThat(blob).doesNotExist();
    }
}
