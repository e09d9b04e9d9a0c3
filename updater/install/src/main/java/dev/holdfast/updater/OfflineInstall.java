package dev.holdfast.updater;

import dev.holdfast.trust.bundle.OfflineBundle;
import dev.holdfast.trust.bundle.SeekableBytes;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.release.Order;
import dev.holdfast.wire.Verdict;
import java.io.IOException;

/** An install from an offline bundle: the checks and the state machine of every other install, over another transport. */
public final class OfflineInstall {
    private OfflineInstall() {}

    /**
     * Verifies what the bundle holds for this device and carries its order out. Blocks until the end.
     *
     * @return how the install ended; {@code BDL-*} or {@code UPD-*} where the bundle was refused before it began
     * @throws IOException where the device's own disk fails
     */
    public static Verdict<InstallOutcome> run(
            SeekableBytes bytes, String device, TrustClient trust, Installer installer) throws IOException {
        return switch (OfflineBundle.open(bytes, device)) {
            case Verdict.Rejected<OfflineBundle> rejected -> rejected.as();
            case Verdict.Accepted<OfflineBundle>(OfflineBundle bundle) ->
                switch (trust.order(device, bundle)) {
                    case Verdict.Rejected<Order> rejected -> rejected.as();
                    case Verdict.Accepted<Order>(Order order) -> Verdict.accepted(installer.install(order, bundle));
                };
        };
    }
}
