package dev.holdfast.updater;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;

/** Skeleton. */
public final class TrustClient {
    /** Length of the nonce in a Director's order. */
    public static final int NONCE_BYTES = 32;

    private TrustClient() {}

    /**
     * Checks factory root and stored chain against the TEE.
     *
     * @param stateDir directory of this client alone
     * @param factoryRoot the root metadata file that the package or provisioning installed
     */
    public static Verdict<TrustClient> start(
            Path stateDir, Path factoryRoot, TrustAnchors anchors, MetadataSource source, Clock clock)
            throws IOException {
        return Verdict.rejected(Code.UPD_ANCHOR, "skeleton");
    }

    /** Brings metadata up to date: TUF 1.0.34 section 5.3 to 5.6. */
    public Verdict<TrustedTargets> refresh() {
        return Verdict.rejected(Code.UPD_ANCHOR, "skeleton");
    }

    /** Refreshes, then asks the Director and checks its order against the Image repository. */
    public Verdict<Order> order(String deviceId) {
        return Verdict.rejected(Code.UPD_ANCHOR, "skeleton");
    }

    /** Key id of the ECDSA key of the targets role, which the TEE verifies: the authority of a measured model. */
    public String anchorKeyId() {
        return "";
    }

    /** Version of the trusted root. */
    public long rootVersion() {
        return 0;
    }
}
