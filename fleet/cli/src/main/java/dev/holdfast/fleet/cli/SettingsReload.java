package dev.holdfast.fleet.cli;

import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetService;
import dev.holdfast.fleet.FleetSetting;
import dev.holdfast.fleet.attest.AttestDuty;
import dev.holdfast.fleet.attest.Attestation;
import dev.holdfast.log.Logs;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads the settings of a fleet again while its service runs. They are taken as a whole or not at all. Thread-safe. */
final class SettingsReload {
    private static final Logger LOG = LoggerFactory.getLogger(SettingsReload.class);

    /** Reads the settings, with what the command line says in its place. */
    @FunctionalInterface
    interface Source {
        FleetDirectory.Config read() throws IOException, RejectedException;
    }

    private final Source source;
    private final FleetService service;
    private final AttestDuty duty;
    private FleetDirectory.Config inForce;

    /** @param started what the service was started with */
    SettingsReload(Source source, FleetDirectory.Config started, FleetService service, AttestDuty duty) {
        this.duty = duty;
        this.source = source;
        this.inForce = started;
        this.service = service;
    }

    synchronized void run() {
        try {
            FleetDirectory.Config next = source.read();
            List<String> changed = new ArrayList<>();
            for (FleetSetting setting : FleetSetting.values()) {
                if (!setting.value(inForce).equals(setting.value(next))) {
                    changed.add(setting.place().label());
                }
            }
            if (!next.name().equals(inForce.name())) {
                throw new RejectedException(
                        Code.CFG_INVALID,
                        "fleet.json names the fleet " + next.name() + ", and this service is of " + inForce.name()
                                + "; another fleet has a folder of its own");
            }
            AppraisalPolicy policy = Attestation.policy(next.attest());
            if (!next.broker().equals(inForce.broker())) {
                service.reach(next);
            }
            duty.use(next.attest(), policy);
            Logs.configure(next.log().format(), next.log().level());
            inForce = next;
            LOG.info(
                    "the settings were read again: {}",
                    changed.isEmpty() ? "nothing changed" : String.join(", ", changed) + " changed");
        } catch (RejectedException e) {
            LOG.warn("the settings stay as they were: {}", e.rejection());
        } catch (IOException e) {
            LOG.warn("the settings stay as they were: {}", new Rejection(Code.FLT_IO, FailureText.of(e)));
        }
    }
}
