package dev.holdfast.updater;

import dev.holdfast.trust.release.Attachment;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Gets the files about a model before the model itself, so that one without its provenance costs no download. */
final class AttachmentFetch {
    private final InstallContext context;
    private final BlockDownload download;

    AttachmentFetch(InstallContext context, BlockDownload download) {
        this.context = context;
        this.download = download;
    }

    /** Returns when every file that the model's block names is beside its place in the store and was checked today. */
    void run(ModelTarget model) throws IOException, InstallStop {
        for (Attachment attachment : model.attachments()) {
            Path place = context.store().attachment(TargetSlot.of(model).slotId(), attachment.kind());
            Optional<byte[]> kept = kept(place, attachment);
            byte[] bytes = kept.isPresent() ? kept.get() : fetched(attachment);
            Optional<Rejection> reason = attachment.check(bytes, model.file());
            if (reason.isPresent()) {
                throw new InstallStop(InstallStop.Kind.FAILED, reason.get());
            }
            if (kept.isEmpty()) {
                context.store().disk().replace(place, bytes);
                context.store().discardPartial(attachment.file().sha256());
            }
        }
    }

    private byte[] fetched(Attachment attachment) throws IOException, InstallStop {
        Sha256 digest = attachment.file().sha256();
        download.run(attachment.file(), attachment.blocks());
        byte[] bytes = Files.readAllBytes(context.store().part(digest));
        if (!Sha256.of(bytes).equals(digest)) {
            boolean sound = download.stillHolds(attachment.file(), attachment.blocks());
            context.store().discardPartial(digest);
            throw sound
                    ? InstallStop.failed(Code.INS_DIGEST, attachment.file().path())
                    : InstallStop.interrupted(
                            Code.INS_STORAGE, attachment.file().path() + " reads otherwise than it was written");
        }
        return bytes;
    }

    private static Optional<byte[]> kept(Path place, Attachment attachment) throws IOException {
        if (!Files.isRegularFile(place)
                || Files.size(place) != attachment.file().length()) {
            return Optional.empty();
        }
        byte[] bytes = Files.readAllBytes(place);
        return Sha256.of(bytes).equals(attachment.file().sha256()) ? Optional.of(bytes) : Optional.empty();
    }
}
