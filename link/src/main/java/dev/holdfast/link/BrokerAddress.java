package dev.holdfast.link;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a broker is: {@code mqtt://HOST[:PORT]} or {@code tcp://}, and {@code mqtts://} or {@code ssl://} for TLS. The ports are those
 * that IANA gave to {@code mqtt} and {@code secure-mqtt} where none is named.
 *
 * @param host a name or an address, one of IPv6 without its brackets
 */
public record BrokerAddress(boolean tls, String host, int port) {
    private static final int PLAIN_PORT = 1883;
    private static final int TLS_PORT = 8883;
    private static final int MAX_PORT = 65_535;
    /** An IPv6 address in brackets, or a name (with underscores, which some networks have) or IPv4 address; and a port. */
    private static final Pattern AUTHORITY =
            Pattern.compile("(?:\\[([0-9A-Fa-f:.]+)]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?");

    /** Reads what a person wrote; {@code CFG-INVALID} says what is wrong with it and what it may be. */
    public static Verdict<BrokerAddress> parse(String text) {
        return Verdict.of(() -> {
            URI uri;
            try {
                uri = new URI(text.strip());
            } catch (URISyntaxException e) {
                throw refused(text);
            }
            String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
            boolean tls = switch (scheme) {
                case "mqtt", "tcp" -> false;
                case "mqtts", "ssl" -> true;
                default -> throw refused(text);
            };
            Matcher where = AUTHORITY.matcher(String.valueOf(uri.getRawAuthority()));
            String path = String.valueOf(uri.getRawPath());
            boolean more = uri.getRawQuery() != null || uri.getRawFragment() != null;
            if (more || !where.matches() || !(path.isEmpty() || path.equals("/"))) {
                throw refused(text);
            }
            int port = where.group(3) != null ? Integer.parseInt(where.group(3)) : tls ? TLS_PORT : PLAIN_PORT;
            if (port < 1 || port > MAX_PORT) {
                throw refused(text);
            }
            return new BrokerAddress(tls, where.group(1) != null ? where.group(1) : where.group(2), port);
        });
    }

    private static RejectedException refused(String text) {
        return new RejectedException(
                Code.CFG_INVALID,
                "broker is \"" + text + "\"; it must be mqtt://HOST[:PORT], or mqtts://HOST[:PORT] for TLS"
                        + " (tcp:// and ssl:// mean the same), without user, path or query");
    }

    /** Whether nothing that is sent there leaves this machine. */
    boolean isLoopback() {
        return host.equalsIgnoreCase("localhost") || host.equals("::1") || host.matches("127(\\.[0-9]{1,3}){3}");
    }

    /** As it may be written in a configuration. */
    @Override
    public String toString() {
        return (tls ? "mqtts://" : "mqtt://") + (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
    }
}
