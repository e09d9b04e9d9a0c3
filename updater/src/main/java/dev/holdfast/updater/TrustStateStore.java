package dev.holdfast.updater;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Two files that take turns, each signed by the TEE: whatever moment the power goes, one of them is whole. The signature
 * covers a label, so that it can never stand for anything else that the same key signs.
 *
 * <p>What it cannot see is a disk set back as a whole; that needs the sequence bound to a counter of the TEE.
 */
final class TrustStateStore {
    private static final int MAX_BYTES = 16 * 1024;
    private static final byte[] LABEL = "holdfast trust state 1\0".getBytes(StandardCharsets.US_ASCII);

    private final Path directory;
    private final TrustAnchors anchors;

    TrustStateStore(Path directory, TrustAnchors anchors) {
        this.directory = directory;
        this.anchors = anchors;
    }

    /** The newest record that verifies; empty where there never was one; {@code TEE-STATE} where none verifies. */
    Optional<TrustState> load() throws IOException, RejectedException {
        Optional<TrustState> newest = Optional.empty();
        boolean present = false;
        for (int slot = 0; slot < 2; slot++) {
            if (!Files.exists(file(slot))) {
                continue;
            }
            present = true;
            Optional<TrustState> state = read(Files.readAllBytes(file(slot)));
            if (state.isPresent()
                    && newest.map(n -> n.sequence() < state.get().sequence()).orElse(true)) {
                newest = state;
            }
        }
        if (present && newest.isEmpty()) {
            throw new RejectedException(Code.TEE_STATE, "no state record verifies");
        }
        return newest;
    }

    private Optional<TrustState> read(byte[] bytes) throws RejectedException {
        try {
            Fields file = Fields.read(bytes, MAX_BYTES);
            Fields state = file.object("state");
            byte[] signature = Binary.fromHex(file.text("sig", 128)).orThrow().toArray();
            boolean good = anchors.verifier().verify(anchors.signer().publicKey(), digest(state), signature);
            return good ? Optional.of(TrustState.fromJson(state)) : Optional.empty();
        } catch (TeeException e) {
            throw new RejectedException(e.code(), "state record: " + e.getMessage());
        } catch (RejectedException e) {
            return Optional.empty();
        }
    }

    TrustState save(TrustState state) throws IOException, RejectedException {
        TrustState next = state.numbered(state.sequence() + 1);
        ObjectNode file = Json.object();
        file.set("state", next.toJson());
        try {
            byte[] signature = anchors.signer().sign(digest(new Fields(next.toJson())));
            file.put("sig", Binary.copyOf(signature).hex());
        } catch (TeeException e) {
            throw new RejectedException(e.code(), "state record: " + e.getMessage());
        }
        DurableFiles.replace(file((int) (next.sequence() % 2)), Json.write(file));
        return next;
    }

    private static Sha256 digest(Fields state) {
        return Sha256.of(LABEL, CanonicalJson.bytes(state.node()));
    }

    private Path file(int slot) {
        return directory.resolve("state." + slot + ".json");
    }
}
