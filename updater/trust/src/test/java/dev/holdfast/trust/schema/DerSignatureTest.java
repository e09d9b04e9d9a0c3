package dev.holdfast.trust.schema;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.trust.signing.SigningKey;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DerSignatureTest {
    private final byte[] der = SigningKey.generate(KeyKind.ECDSA_P256).sign(new byte[] {1});

    @Test
    void readsWhatTheJdkSigns() {
        assertThat(DerSignature.toP1363(der)).hasSize(64);
    }

    @Test
    void refusesTrailingBytesAndPaddedIntegers() {
        assertThat(DerSignature.toP1363(Arrays.copyOf(der, der.length + 1))).isEmpty();
        byte[] padded = {0x30, 8, 2, 3, 0, 0, 1, 2, 1, 1};
        assertThat(DerSignature.toP1363(padded)).isEmpty();
        byte[] negative = {0x30, 6, 2, 1, (byte) 0x80, 2, 1, 1};
        assertThat(DerSignature.toP1363(negative)).isEmpty();
        byte[] least = {0x30, 6, 2, 1, 1, 2, 1, 1};
        assertThat(DerSignature.toP1363(least)).hasSize(64);
    }

    @Test
    void neverThrowsOnDamage() {
        Random random = new Random(3);
        for (int i = 0; i < 5000; i++) {
            byte[] bytes = Arrays.copyOf(der, random.nextInt(der.length + 1));
            if (bytes.length > 0) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            assertThat(DerSignature.toP1363(bytes).length).isIn(0, 64);
        }
    }
}
