package dev.holdfast.trust.client;

import dev.holdfast.storage.Disk;
import dev.holdfast.tee.AnchorVerifier;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A root that is trusted because of where it is: for clients without a TEE. */
final class RootFile implements TrustedRoot {
    private final Path file;
    private final Disk disk;
    private final AnchorVerifier verifier;
    private RootDocument root;

    private RootFile(Path file, Disk disk, AnchorVerifier verifier, RootDocument root) {
        this.file = file;
        this.disk = disk;
        this.verifier = verifier;
        this.root = root;
    }

    static RootFile load(Path file, Disk disk, AnchorVerifier verifier) throws IOException, RejectedException {
        if (!Files.isRegularFile(file) || Files.size(file) > RootDocument.MAX_BYTES) {
            throw new RejectedException(Code.UPD_ANCHOR, "there is no trusted root of a sane length");
        }
        RootDocument root = RootDocument.parse(Files.readAllBytes(file));
        root.envelope().requireThreshold(root.role("root"), FamilyPolicy.NONE, verifier);
        return new RootFile(file, disk, verifier, root);
    }

    @Override
    public RootDocument root() {
        return root;
    }

    /** A root that was handed over is taken as it is: what it says of families binds devices, which anchor it. */
    @Override
    public FamilyPolicy families() {
        return FamilyPolicy.NONE;
    }

    @Override
    public RootDocument verify(byte[] bytes) throws RejectedException {
        return root.next(bytes, families(), verifier);
    }

    @Override
    public void append(RootDocument next) throws IOException {
        disk.replace(file, next.envelope().bytes());
        root = next;
    }
}
