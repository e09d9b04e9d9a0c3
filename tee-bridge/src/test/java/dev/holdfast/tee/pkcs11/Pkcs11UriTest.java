package dev.holdfast.tee.pkcs11;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.BridgeContract;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Pkcs11UriTest {
    private static final String QUERY = "?module-path=/usr/lib/m.so&pin-source=file:/etc/pin";

    @Test
    void readsLabelsPathsAndWhatIsVouchedFor() {
        Pkcs11Uri uri = BridgeContract.accepted(Pkcs11Uri.parse("pkcs11:token=my%20token;object=a+b" + QUERY
                + "&x-assurance=firmware&x-module-sha256=" + "0a".repeat(32)));
        assertThat(uri.token()).isEqualTo("my token");
        assertThat(uri.object()).isEqualTo("a+b");
        assertThat(uri.module()).isEqualTo(Path.of("/usr/lib/m.so"));
        assertThat(uri.pinSource()).isEqualTo(Path.of("/etc/pin"));
        assertThat(uri.assurance()).isEqualTo(Assurance.FIRMWARE);
    }

    @Test
    void vouchesForNothingByItself() {
        assertThat(BridgeContract.accepted(Pkcs11Uri.parse("pkcs11:token=t" + QUERY))
                        .assurance())
                .isEqualTo(Assurance.SOFTWARE);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "pkcs11:",
                "pkcs11:token=t",
                "pkcs11:token=t?module-path=/m.so",
                "pkcs11:token=t?pin-source=/etc/pin",
                "pkcs11:token=" + QUERY,
                "pkcs11:token=t;token=u" + QUERY,
                "pkcs11:token=t;serial=1" + QUERY,
                "pkcs11:token=%zz" + QUERY,
                "pkcs11:token=012345678901234567890123456789012" + QUERY,
                "pkcs11:token=t" + QUERY + "&pin-value=1234",
                "pkcs11:token=t" + QUERY + "&x-assurance=hardware",
                "pkcs11:token=t" + QUERY + "&x-assurance=gold&x-module-sha256=00",
                "pkcs11:token=t?module-path=m.so&pin-source=/etc/pin",
                "pkcs11:token=t?module-path=/m.so%0aslot=1&pin-source=/etc/pin",
                "pkcs11:token=t?module-path=/$%7Bhome%7D/m.so&pin-source=/etc/pin",
            })
    void refusesWhatItCannotUse(String uri) {
        assertThat(Pkcs11Uri.parse(uri)).isInstanceOf(Verdict.Rejected.class);
    }

    @Test
    void neverThrowsOnMutatedUris() {
        String good = "pkcs11:token=t;object=o" + QUERY + "&x-assurance=firmware&x-module-sha256=" + "0a".repeat(32);
        Random random = new Random(11);
        int refused = 0;
        for (int round = 0; round < 20_000; round++) {
            StringBuilder text = new StringBuilder(good);
            for (int i = random.nextInt(4); i >= 0; i--) {
                text.setCharAt(random.nextInt(text.length()), (char) random.nextInt(300));
            }
            if (Pkcs11Uri.parse(text.toString()) instanceof Verdict.Rejected<Pkcs11Uri>(var reason)) {
                refused++;
                assertThat(reason.code()).isEqualTo(Code.CFG_INVALID);
            }
        }
        assertThat(refused).isPositive();
    }
}
