package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.sockets.EventLoop;
import io.vertx.core.http.HttpServerResponse;
import java.lang.reflect.Proxy;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class RequestClockTest {
    private static HttpServerResponse response(boolean closed) {
        return (HttpServerResponse) Proxy.newProxyInstance(
                HttpServerResponse.class.getClassLoader(),
                new Class<?>[] {HttpServerResponse.class},
                (proxy, method, arguments) -> method.getName().equals("closed") ? closed : null);
    }

    @Test
    void nobodyWaitsWhereTheClientWasGoneBefore() {
        try (EventLoop loop = new EventLoop()) {
            assertThat(clock(loop, response(true)).begin()).isFalse();
            assertThat(clock(loop, response(false)).begin()).isTrue();
        }
    }

    private static RequestClock clock(EventLoop loop, HttpServerResponse response) {
        RequestClock.Limits limits = RequestClock.Limits.of(Duration.ofMinutes(1));
        return new RequestClock(
                loop.vertx(),
                response,
                limits,
                new EventStream(loop.vertx(), response, limits.quiet()),
                false,
                new InferenceMetrics());
    }
}
