package dev.holdfast.sockets;

import io.netty.channel.Channel;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.socket.nio.NioChannelOption;
import io.netty.channel.unix.PeerCredentials;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.net.impl.ConnectionBase;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import jdk.net.ExtendedSocketOptions;
import jdk.net.UnixDomainPrincipal;

/**
 * Who is at the other end of a Unix socket, as the kernel recorded when it connected (SO_PEERCRED, SO_PEERGROUPS).
 *
 * @param uid the user's number
 * @param gids the group's number, then those of the supplementary groups
 * @param pid the process, or {@value #NO_PID} where the transport does not tell
 */
public record Peer(long uid, List<Long> gids, int pid) {
    static final int NO_PID = -1;
    private static final Path USERS = Path.of("/etc/passwd");
    private static final Path GROUPS = Path.of("/etc/group");

    public Peer {
        gids = List.copyOf(gids);
    }

    /** The peer of a connection of a {@link SocketServer}; empty where it cannot be known, which only an open policy lets pass. */
    public static Optional<Peer> of(HttpConnection connection) {
        return place(connection).flatMap(Admission.Place::peer);
    }

    /** The place of a connection; empty where it was given none. */
    static Optional<Admission.Place> place(HttpConnection connection) {
        return connection instanceof ConnectionBase base
                ? Optional.ofNullable(base.channel().attr(Admission.PLACE).get())
                : Optional.empty();
    }

    /** Asks the kernel. */
    static Optional<Peer> read(Channel channel) {
        try {
            if (channel instanceof EpollDomainSocketChannel epoll) {
                PeerCredentials credentials = epoll.peerCredentials();
                // Netty tells the primary group alone.
                List<Long> gids = Stream.concat(
                                Stream.of(credentials.gids()[0] & 0xffff_ffffL),
                                LinuxSocket.peerGroups(epoll.fd().intValue()).stream())
                        .distinct()
                        .toList();
                return Optional.of(new Peer(credentials.uid() & 0xffff_ffffL, gids, credentials.pid()));
            }
            UnixDomainPrincipal principal =
                    channel.config().getOption(NioChannelOption.of(ExtendedSocketOptions.SO_PEERCRED));
            return principal == null ? Optional.empty() : byName(principal);
        } catch (IOException | RuntimeException e) {
            return Optional.empty();
        }
    }

    /** The JDK's own transport tells names only: of the supplementary groups what the system's table says now. */
    private static Optional<Peer> byName(UnixDomainPrincipal principal) throws IOException {
        String user = principal.user().getName();
        Optional<Long> uid = number(USERS, user);
        Stream<Long> gids =
                Stream.concat(number(GROUPS, principal.group().getName()).stream(), memberships(user).stream());
        List<Long> distinct = gids.distinct().toList();
        return uid.map(number -> new Peer(number, distinct, NO_PID));
    }

    private static Optional<Long> number(Path table, String name) throws IOException {
        if (name.matches("\\d{1,10}")) {
            return Optional.of(Long.parseLong(name));
        }
        for (String line : Files.readAllLines(table)) {
            String[] fields = line.split(":", -1);
            if (fields.length > 2 && fields[0].equals(name) && fields[2].matches("\\d{1,10}")) {
                return Optional.of(Long.parseLong(fields[2]));
            }
        }
        return Optional.empty();
    }

    private static List<Long> memberships(String user) throws IOException {
        return Files.readAllLines(GROUPS).stream()
                .map(line -> line.split(":", -1))
                .filter(fields -> fields.length == 4
                        && fields[2].matches("\\d{1,10}")
                        && List.of(fields[3].split(",", -1)).contains(user))
                .map(fields -> Long.parseLong(fields[2]))
                .toList();
    }
}
