package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BrokerAddressTest {
    @ParameterizedTest
    @CsvSource({
        "tcp://127.0.0.1:1883, false, 127.0.0.1, 1883",
        "mqtt://broker, false, broker, 1883",
        "MQTT://broker/, false, broker, 1883",
        "mqtts://broker.example, true, broker.example, 8883",
        "ssl://my_broker:1, true, my_broker, 1",
        "mqtts://[2001:db8::1]:8884, true, 2001:db8::1, 8884"
    })
    void takesTheFourSchemes(String text, boolean tls, String host, int port) {
        assertThat(BrokerAddress.parse(text)).isEqualTo(Verdict.accepted(new BrokerAddress(tls, host, port)));
        assertThat(BrokerAddress.parse(new BrokerAddress(tls, host, port).toString())
                        .isAccepted())
                .isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "broker",
                "broker:1883",
                "127.0.0.1:1883",
                "http://broker",
                "ws://broker:80",
                "mqtt://",
                "mqtt:broker",
                "mqtt://broker:0",
                "mqtt://broker:65536",
                "mqtt://broker:-1",
                "mqtt://user:word@broker",
                "mqtt://broker/topic",
                "mqtt://broker?x=1",
                "mqtt://broker#f",
                "mqtt://a b"
            })
    void refusesEverythingElseAndNamesTheKey(String text) {
        assertThat(BrokerAddress.parse(text)).isInstanceOfSatisfying(Verdict.Rejected.class, refused -> {
            assertThat(refused.reason().code()).isEqualTo(Code.CFG_INVALID);
            assertThat(refused.reason().detail()).contains("broker").contains("mqtts://");
        });
    }

    @Test
    void namesThePortsOfIana() {
        assertThat(BrokerAddress.parse("ssl://b").toString()).contains("8883");
    }
}
