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
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import jdk.net.ExtendedSocketOptions;
import jdk.net.UnixDomainPrincipal;

/**
 * Who is at the other end of a Unix socket, as the kernel recorded when it connected (SO_PEERCRED).
 *
 * @param uid the user's number
 * @param gids the group's number; the native transport may know more than one
 * @param pid the process, or {@value #NO_PID} where the transport does not tell
 */
public record Peer(long uid, List<Long> gids, int pid) {
    static final int NO_PID = -1;
    private static final Path USERS = Path.of("/etc/passwd");
    private static final Path GROUPS = Path.of("/etc/group");

    /** The peer of a connection; empty where it cannot be known, which only an open policy lets pass. */
    public static Optional<Peer> of(HttpConnection connection) {
        if (!(connection instanceof ConnectionBase base)) {
            return Optional.empty();
        }
        try {
            Channel channel = base.channel();
            if (channel instanceof EpollDomainSocketChannel epoll) {
                PeerCredentials credentials = epoll.peerCredentials();
                List<Long> gids = Arrays.stream(credentials.gids())
                        .mapToObj(gid -> gid & 0xffff_ffffL)
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

    /** The JDK's own transport tells names only. */
    private static Optional<Peer> byName(UnixDomainPrincipal principal) throws IOException {
        Optional<Long> uid = number(USERS, principal.user().getName());
        Optional<Long> gid = number(GROUPS, principal.group().getName());
        return uid.map(number -> new Peer(number, gid.map(List::of).orElse(List.of()), NO_PID));
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
}
