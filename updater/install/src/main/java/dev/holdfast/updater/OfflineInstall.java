package dev.holdfast.updater;

import dev.holdfast.trust.bundle.OfflineBundle;
import dev.holdfast.trust.bundle.SeekableBytes;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.Order;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** An install from an offline bundle: the checks and the state machine of every other install, over another transport. */
public final class OfflineInstall {
    private OfflineInstall() {}

    /**
     * Verifies what the bundle holds for this device and carries its order out, one model after the other. Blocks until the end.
     *
     * @return how the install of each model ended, by name; {@code BDL-*} or {@code UPD-*} where the bundle was refused before it
     *     began
     * @throws IOException where the device's own disk fails
     */
    public static Verdict<SortedMap<String, InstallOutcome>> run(
            SeekableBytes bytes, String device, TrustClient trust, Installer installer) throws IOException {
        return switch (OfflineBundle.open(bytes, device)) {
            case Verdict.Rejected<OfflineBundle> rejected -> rejected.as();
            case Verdict.Accepted<OfflineBundle>(OfflineBundle bundle) -> {
                Verdict<Order> order = trust.order(device, bundle);
                // The bundle may say what was withdrawn, whatever becomes of its order.
                installer.leaveWithdrawn();
                yield switch (order) {
                    case Verdict.Rejected<Order> rejected -> rejected.as();
                    case Verdict.Accepted<Order>(Order accepted) -> run(accepted, bundle, installer);
                };
            }
        };
    }

    private static Verdict<SortedMap<String, InstallOutcome>> run(
            Order order, OfflineBundle bundle, Installer installer) throws IOException {
        Optional<Rejection> refused = installer.arrange(order);
        if (refused.isPresent() && refused.get().code() == Code.UPD_INCOMPATIBLE) {
            return new Verdict.Rejected<>(refused.get());
        }
        for (String name : installer.dropped(order)) {
            installer.retire(name, order.version());
        }
        SortedMap<String, InstallOutcome> outcomes = new TreeMap<>();
        for (ModelOrder model : order.models()) {
            outcomes.put(model.model().model(), installer.install(model, bundle));
        }
        return Verdict.accepted(outcomes);
    }
}
