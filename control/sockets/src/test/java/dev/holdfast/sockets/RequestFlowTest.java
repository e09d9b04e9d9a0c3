package dev.holdfast.sockets;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The requests of one connection, without a socket. */
class RequestFlowTest {
    private static final int PER_SECOND = 10;
    private static final int NO_TIMER = -1;

    private final Admission.Place place = new Admission(
                    PeerPolicy.everyone(),
                    new Admission.Places(10, 4, 2, 3, new Admission.Places.Bytes(100, 40, 30), PER_SECOND))
            .enter(Optional.of(new Peer(1001, List.of(), Peer.NO_PID)), System.nanoTime())
            .orElseThrow();
    private final EmbeddedChannel channel = new EmbeddedChannel();

    private void watch() {
        watch(channel);
    }

    private void watch(EmbeddedChannel connection) {
        connection.pipeline().addLast("httpDecoder", new ChannelInboundHandlerAdapter());
        connection.pipeline().addLast("handler", new ChannelInboundHandlerAdapter());
        RequestFlow.watch(connection, place);
    }

    @AfterEach
    void close() {
        channel.finishAndReleaseAll();
    }

    private static FullHttpRequest get() {
        return new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.GET, "/now");
    }

    /** Its user has asked so much that the next request waits. */
    private void askTooMuch() {
        for (int i = 0; i < 2 * PER_SECOND; i++) {
            place.ask(System.nanoTime());
        }
    }

    private void pass(long millis) {
        channel.advanceTimeBy(millis, TimeUnit.MILLISECONDS);
        channel.runScheduledPendingTasks();
        channel.runPendingTasks();
    }

    @Test
    void aRequestThatWaitsIsForgottenWithItsConnection() {
        watch();
        askTooMuch();
        FullHttpRequest request = get();
        channel.writeInbound(request);
        assertThat(channel.inboundMessages()).as("it waits").isEmpty();
        channel.close();
        assertThat(request.refCnt()).isZero();
        assertThat(channel.runScheduledPendingTasks()).isEqualTo(NO_TIMER);
    }

    @Test
    void aConnectionThatAsksNothingEnds() {
        channel.freezeTime();
        watch();
        pass(4_900);
        assertThat(channel.isOpen()).isTrue();
        pass(200);
        assertThat(channel.isOpen()).isFalse();
    }

    @Test
    void aRequestThatWaitsIsNotSilence() {
        channel.freezeTime();
        watch();
        pass(4_900);
        askTooMuch();
        channel.writeInbound(get());
        pass(200);
        assertThat(channel.isOpen()).isTrue();
        assertThat(channel.inboundMessages()).isEmpty();
        pass(1_000);
        assertThat(channel.inboundMessages()).hasSize(1);
        assertThat(channel.isOpen()).isTrue();
    }

    /** An answer may be long in coming; only what then happens no more is idle. */
    @Test
    void aConnectionIsIdleOnlyWhenNothingIsBeingAnswered() {
        channel.freezeTime();
        watch();
        channel.writeInbound(get());
        pass(3_000_000);
        assertThat(channel.isOpen()).isTrue();
        channel.writeOutbound(new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK));
        pass(299_000);
        assertThat(channel.isOpen()).isTrue();
        pass(2_000);
        assertThat(channel.isOpen()).isFalse();
    }

    /** Whoever made the answer may be gone, and nothing that has a limit is under way. */
    @Test
    void aConnectionThatTakesNothingOfItsAnswerIsIdle() {
        EmbeddedChannel full = new EmbeddedChannel() {
            @Override
            protected void doWrite(ChannelOutboundBuffer in) {}
        };
        full.freezeTime();
        watch(full);
        full.writeInbound(get());
        full.writeOutbound(new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK));
        full.advanceTimeBy(299, TimeUnit.SECONDS);
        full.runScheduledPendingTasks();
        assertThat(full.isOpen()).isTrue();
        full.advanceTimeBy(2, TimeUnit.SECONDS);
        full.runScheduledPendingTasks();
        assertThat(full.isOpen()).isFalse();
    }

    @Test
    void aUserWhoSendsTooMuchIsNotReadForASecondAndThatIsNotItsDelay() {
        channel.freezeTime();
        watch();
        DefaultHttpRequest head = new DefaultHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, "/body");
        head.headers().set("Content-Length", 10_000_000);
        channel.writeInbound(head);
        pass(29_500);
        channel.writeInbound(new DefaultHttpContent(channel.alloc().buffer().writeZero(1_000_000)));
        assertThat(channel.config().isAutoRead()).isFalse();
        pass(900);
        assertThat(channel.config().isAutoRead()).isFalse();
        pass(200);
        assertThat(channel.config().isAutoRead()).isTrue();
        assertThat(channel.isOpen()).isTrue();
        pass(30_000);
        assertThat(channel.isOpen()).as("it has begun to count again").isFalse();
    }

    @Test
    void aBodyThatIsNotWholeIsForgottenWithItsConnection() {
        watch();
        DefaultHttpRequest head = new DefaultHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, "/body");
        head.headers().set("Content-Length", 9);
        channel.writeInbound(
                head, new DefaultHttpContent(channel.alloc().buffer().writeZero(4)));
        channel.close();
        assertThat(channel.runScheduledPendingTasks()).isEqualTo(NO_TIMER);
    }
}
