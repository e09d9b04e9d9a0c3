package dev.holdfast.sockets;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import java.nio.channels.ClosedChannelException;
import org.junit.jupiter.api.Test;

class HalfClosedWriterTest {
    @Test
    void whatWaitsEndsWithTheConnectionThoughNobodyAskedForItsEnd() {
        assumeTrue(Epoll.isAvailable(), "the native transport is there");
        EpollDomainSocketChannel socket = new EpollDomainSocketChannel();
        try {
            EmbeddedChannel pipeline = new EmbeddedChannel();
            pipeline.pipeline().addFirst(HalfClosedWriter.NAME, new HalfClosedWriter(socket));
            ByteBuf bytes = pipeline.alloc().directBuffer().writeZero(9);
            ChannelFuture written = pipeline.write(bytes);
            assertThat(written.isDone()).isFalse();
            pipeline.pipeline().remove(HalfClosedWriter.NAME);
            assertThat(bytes.refCnt()).isZero();
            assertThat(written.cause()).isInstanceOf(ClosedChannelException.class);
        } finally {
            socket.unsafe().closeForcibly();
        }
    }
}
