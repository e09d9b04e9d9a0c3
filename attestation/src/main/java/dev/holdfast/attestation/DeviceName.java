package dev.holdfast.attestation;

import dev.holdfast.tee.Enroller;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The name that a device has by its keys alone, where its configuration says {@code device = "auto"}: {@code hf-} and the first 24
 * hexadecimal digits of the hash by which the fleet knows it. That is SHA-256 over TPMT_PUBLIC of the TPM's endorsement key, which the
 * TPM derives from a seed that no reinstallation and no TPM2_Clear changes; without a TPM it is over x || y of the device's key, which is
 * in the token, or in the state directory and new when that is. Nobody else can enrol under such a name: 96 bits are too many to look
 * for a key with.
 */
public final class DeviceName {
    private static final String PREFIX = "hf-";
    private static final int DIGITS = 24;
    private static final Pattern DERIVED = Pattern.compile("hf-[0-9a-f]{24}");

    private DeviceName() {}

    /** The name of the device that the fleet knows by {@code endorsement}; no dots, 27 characters. */
    public static String of(Sha256 endorsement) {
        return PREFIX + endorsement.hex().substring(0, DIGITS);
    }

    /** Whether only the device with the key that it is derived from may have this name. */
    public static boolean isDerived(String name) {
        return DERIVED.matcher(name).matches();
    }

    /** By which the fleet knows the device with this TEE; the TPM makes its endorsement key for it, which may take a minute. */
    public static Sha256 endorsement(TeeBridge bridge) throws TeeException {
        Optional<Enroller> tpm = bridge.enroller();
        return tpm.isPresent()
                ? Sha256.of(tpm.get().endorsementPublic().toArray())
                : Sha256.of(P256.encode(bridge.signer()
                                .orElseThrow(() -> new TeeException(
                                        Code.TEE_REFUSED, "this root of trust has no key that a name could come from"))
                                .publicKey())
                        .toArray());
    }

    /** The same, by what the device says. */
    static Sha256 endorsement(EnrolmentMessage.Request request) {
        return Sha256.of((request.isTpm() ? request.endorsement() : request.signer()).toArray());
    }
}
