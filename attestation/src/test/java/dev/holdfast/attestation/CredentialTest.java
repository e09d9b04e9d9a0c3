package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.TpmKeyArea;
import dev.holdfast.tee.tpm.TpmTools;
import dev.holdfast.wire.Binary;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Our MakeCredential in software against tpm2-tools and a real TPM's ActivateCredential. */
class CredentialTest {
    @TempDir
    Path temp;

    @ParameterizedTest
    @ValueSource(strings = {"ecc", "rsa"})
    void tpm2ActivatecredentialOpensWhatWeClosed(String kind) throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp)) {
            TpmTools tools = new TpmTools(temp, swtpm);
            String ek = temp.resolve("ek.ctx").toString();
            String ak = temp.resolve("ak.ctx").toString();
            tools.run(
                    "tpm2_createek",
                    "-c",
                    ek,
                    "-G",
                    kind,
                    "-u",
                    temp.resolve("ek.pub").toString());
            tools.run(
                    "tpm2_createak",
                    "-C",
                    ek,
                    "-c",
                    ak,
                    "-G",
                    "ecc",
                    "-g",
                    "sha256",
                    "-s",
                    "ecdsa",
                    "-n",
                    temp.resolve("ak.name").toString());
            byte[] sized = Files.readAllBytes(temp.resolve("ek.pub")); // TPM2B_PUBLIC
            TpmKeyArea endorsement = EnrolmentAuthority.endorsement(Binary.copyOf(sized, 2, sized.length - 2));
            Binary name = Binary.copyOf(Files.readAllBytes(temp.resolve("ak.name")));
            byte[] secret = Models.hash("secret").toArray();

            write(Credential.make(endorsement, name, secret), temp.resolve("good"));
            assertThat(activate(tools, ek, ak, "good")).isZero();
            assertThat(Files.readAllBytes(temp.resolve("opened"))).isEqualTo(secret);

            byte[] other = name.toArray();
            other[5] ^= 1;
            write(Credential.make(endorsement, Binary.copyOf(other), secret), temp.resolve("bad"));
            assertThat(activate(tools, ek, ak, "bad")).isNotZero();
        }
    }

    private int activate(TpmTools tools, String ek, String ak, String credential) throws Exception {
        Path session = temp.resolve("session.ctx");
        // The EK's policy is PolicySecret of the endorsement hierarchy.
        String script = """
                set -e
                tpm2_startauthsession --policy-session -S %1$s
                tpm2_policysecret -S %1$s -c e
                tpm2_activatecredential -c %2$s -C %3$s -i %4$s -o %5$s -P session:%1$s
                """.formatted(session, ak, ek, temp.resolve(credential), temp.resolve("opened"));
        return tools.script(script);
    }

    /** The file of tpm2_makecredential: magic, version, TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET. */
    private static void write(Credential credential, Path file) throws Exception {
        byte[] blob = credential.blob().toArray();
        byte[] secret = credential.encryptedSecret().toArray();
        ByteBuffer out = ByteBuffer.allocate(12 + blob.length + secret.length)
                .putInt((int) TpmTools.CREDENTIAL_MAGIC)
                .putInt(1)
                .putShort((short) blob.length)
                .put(blob)
                .putShort((short) secret.length)
                .put(secret);
        Files.write(file, Arrays.copyOf(out.array(), out.position()));
    }
}
