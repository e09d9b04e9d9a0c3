package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.holdfast.fleet.DeviceWatch;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetKeys;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.FleetResponder;
import dev.holdfast.fleet.FleetService;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.fleet.attest.AttestDuty;
import dev.holdfast.fleet.attest.Attestation;
import dev.holdfast.testkit.Mosquitto;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A service that runs, at brokers that are really there. */
@Timeout(120)
class SettingsReloadTest {
    @TempDir
    Path dir;

    private static Mosquitto broker(Path folder) throws Exception {
        return Mosquitto.start(Files.createDirectories(folder), List.of("allow_anonymous true\n"));
    }

    private static String settings(String broker) {
        return "{\"format\":1,\"name\":\"demo\",\"broker\":\"" + broker + "\"}";
    }

    private static String at(Mosquitto broker) {
        return "mqtt://127.0.0.1:" + broker.port(0);
    }

    @Test
    void theServiceGoesOverToAnotherBrokerOrStaysWhereItIs() throws Exception {
        assumeTrue(Mosquitto.isInstalled(), "needs mosquitto");
        try (Mosquitto first = broker(dir.resolve("first"));
                Mosquitto second = broker(dir.resolve("second"))) {
            FleetRepository repository =
                    new FleetRepository(new FleetDirectory(dir.resolve("fleet")), Clock.systemUTC());
            repository.init(new FleetDirectory.Config("demo", at(first)));
            FleetDirectory directory = repository.directory();
            FleetDirectory.Config started = directory.config();
            FleetResponder responder =
                    new FleetResponder(repository, FleetKeys.DIRECTOR.load(directory.keys()), Clock.systemUTC());
            Attestation attestation = new Attestation(repository, VerifierKey.open(directory), Clock.systemUTC());
            try (FleetService service = FleetService.start(directory, started, responder, DeviceWatch.NONE);
                    AttestDuty duty = AttestDuty.start(attestation, "demo", service::challenge)) {
                Awaitility.await().until(service::connected);
                SettingsReload reload = new SettingsReload(directory::config, started, service, duty);
                Path file = directory.root().resolve("fleet.json");
                for (String wrong : List.of(
                        "{",
                        settings("nonsense"),
                        settings(at(second)).replace("demo", "other"),
                        settings(at(second)).replace("}", ",\"attestPolicy\":\"absent.json\"}"))) {
                    Files.writeString(file, wrong);
                    reload.run();
                    assertThat(service.connected()).as(wrong).isTrue();
                    assertThat(second.log()).as(wrong).doesNotContain(" as service");
                }
                Files.writeString(file, settings(at(second)));
                reload.run();
                Awaitility.await()
                        .until(() -> service.connected() && second.log().contains(" as service"));
                Awaitility.await()
                        .until(() ->
                                first.log().matches("(?s).*Client service\\S+ (\\[\\S+] )?(disconnected|closed).*"));
            }
        }
    }
}
