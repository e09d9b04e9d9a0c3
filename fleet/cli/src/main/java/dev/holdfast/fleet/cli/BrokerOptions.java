package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.settings.FleetBroker;
import dev.holdfast.link.BrokerAccess;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The broker and what it is shown. Secrets are in files, never on the command line, where every account could read them. */
final class BrokerOptions {
    @Option(names = "--broker", paramLabel = "URI", description = "mqtts://HOST[:PORT] for TLS, or mqtt://HOST[:PORT].")
    String address = "";

    @Option(names = "--broker-user", paramLabel = "NAME", description = "User name at the broker.")
    String user = "";

    @Option(
            names = "--broker-password-file",
            paramLabel = "FILE",
            description = "Its first line is the password; others may not be able to read it.")
    Optional<Path> password = Optional.empty();

    @Option(
            names = "--broker-certificate",
            paramLabel = "FILE",
            description = "PEM: the certificate that TLS shows the broker, and those between it and its authority.")
    Optional<Path> certificate = Optional.empty();

    @Option(
            names = "--broker-key",
            paramLabel = "FILE",
            description = "PEM: the certificate's key, not encrypted; others may not be able to read it.")
    Optional<Path> key = Optional.empty();

    @Option(
            names = "--broker-authorities",
            paramLabel = "FILE",
            description = "PEM: who may have signed the broker's certificate (default: Java's list); may be repeated.")
    List<Path> authorities = new ArrayList<>();

    /** What is stored, with what was given here in its place. Files are read at each connect, wherever the command is run then. */
    FleetBroker over(FleetBroker stored) {
        BrokerAccess.Settings before = stored.settings();
        return new FleetBroker(
                address.isEmpty() ? stored.address() : address,
                new BrokerAccess.Settings(
                        user.isEmpty() ? before.user() : user,
                        password.map(Path::toAbsolutePath).or(before::password),
                        certificate.map(Path::toAbsolutePath).or(before::certificate),
                        key.map(Path::toAbsolutePath).or(before::key),
                        authorities.isEmpty()
                                ? before.authorities()
                                : authorities.stream().map(Path::toAbsolutePath).toList()));
    }

    /** Whether nothing was given. */
    boolean isEmpty() {
        return address.isEmpty()
                && user.isEmpty()
                && password.isEmpty()
                && certificate.isEmpty()
                && key.isEmpty()
                && authorities.isEmpty();
    }
}
