package dev.holdfast.sockets;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.handler.timeout.IdleStateEvent;
import io.netty.handler.timeout.IdleStateHandler;

/**
 * Ends a connection on which nothing was asked, answered or taken for {@value #SECONDS} s. One that waits for its answer is not idle,
 * however long that takes: who makes the answer has a limit of its own. One that takes no more of an answer is idle, also where the
 * answer never becomes whole. Belongs to the connection's event loop.
 */
final class IdleConnection extends IdleStateHandler {
    static final String NAME = "idle-connection";
    static final int SECONDS = 300;

    private final RequestFlow flow;

    IdleConnection(RequestFlow flow) {
        super(0, 0, SECONDS);
        this.flow = flow;
    }

    @Override
    protected void channelIdle(ChannelHandlerContext context, IdleStateEvent event) {
        ChannelOutboundBuffer untaken = context.channel().unsafe().outboundBuffer();
        if (!flow.waitsForAnswer(context) || untaken != null && untaken.totalPendingWriteBytes() > 0) {
            context.close();
        }
    }
}
