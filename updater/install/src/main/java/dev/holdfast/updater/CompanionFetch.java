package dev.holdfast.updater;

import dev.holdfast.trust.release.Companion;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Gets the files about a model before the model itself, so that one without its provenance costs no download. */
final class CompanionFetch {
    private final InstallContext context;
    private final BlockDownload download;

    CompanionFetch(InstallContext context, BlockDownload download) {
        this.context = context;
        this.download = download;
    }

    /** Returns when every file that the model's block names lies beside its place in the store and was checked today. */
    void run(ModelTarget model) throws IOException, InstallStop {
        for (Companion companion : model.companions()) {
            Path place = context.store().about(model.file().sha256(), companion.kind());
            Optional<byte[]> kept = kept(place, companion);
            byte[] bytes = kept.isPresent() ? kept.get() : fetched(companion);
            Optional<Rejection> reason = companion.check(bytes, model.file());
            if (reason.isPresent()) {
                throw new InstallStop(InstallStop.Kind.FAILED, reason.get());
            }
            if (kept.isEmpty()) {
                context.store().disk().replace(place, bytes);
                context.store().discardPartial(companion.file().sha256());
            }
        }
    }

    private byte[] fetched(Companion companion) throws IOException, InstallStop {
        Sha256 digest = companion.file().sha256();
        download.run(companion.file(), companion.blocks());
        byte[] bytes = Files.readAllBytes(context.store().part(digest));
        if (!Sha256.of(bytes).equals(digest)) {
            context.store().discardPartial(digest);
            throw InstallStop.failed(Code.INS_DIGEST, companion.file().path());
        }
        return bytes;
    }

    private static Optional<byte[]> kept(Path place, Companion companion) throws IOException {
        if (!Files.isRegularFile(place) || Files.size(place) != companion.file().length()) {
            return Optional.empty();
        }
        byte[] bytes = Files.readAllBytes(place);
        return Sha256.of(bytes).equals(companion.file().sha256()) ? Optional.of(bytes) : Optional.empty();
    }
}
