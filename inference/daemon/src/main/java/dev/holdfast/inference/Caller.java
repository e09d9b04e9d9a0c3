package dev.holdfast.inference;

import dev.holdfast.control.InferencePaths;
import dev.holdfast.sockets.Peer;
import dev.holdfast.sockets.PeerPolicy;
import io.vertx.core.http.HttpServerRequest;
import java.util.Optional;

/**
 * Who asks for an answer.
 *
 * @param user whose earlier prompts may be built on; empty when nobody's may, and nothing is kept
 * @param bounded whether the user has a share of a model's places; else it may take all of them
 */
record Caller(Optional<Long> user, boolean bounded) {
    /** Nobody in particular, without bounds: this process itself. */
    static final Caller SELF = new Caller(Optional.empty(), false);

    /** The program at the other end of a socket. The operator and this process's own user have no share to keep to. */
    static Caller of(HttpServerRequest request) {
        return new Caller(Peer.of(request.connection()).map(Peer::uid), !isOperator(request));
    }

    /**
     * Root and this process's own user, who may have what tells of other users or of the model itself; not whoever asks through a bridge
     * of theirs.
     */
    static boolean isOperator(HttpServerRequest request) {
        return PeerPolicy.everyone().names(Peer.of(request.connection()))
                && !request.headers().contains(InferencePaths.OF_THE_BRIDGE);
    }

    KeyedThreads.Owner owner() {
        return bounded ? new KeyedThreads.Owner(user.orElse(-1L), true) : KeyedThreads.Owner.ANY;
    }
}
