package dev.holdfast.attestation.verify;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.security.interfaces.ECPublicKey;
import java.util.Arrays;

/**
 * What the fleet knows of a device since its enrolment.
 *
 * @param deviceId the device's name in the fleet
 * @param signer the key that signs evidence
 * @param attestationKey the key that signs quotes
 * @param endorsement SHA-256 of the endorsement key's TPMT_PUBLIC, or of the signer key where there is no TPM
 * @param assurance what enrolment could establish; evidence never raises it
 * @param lastResetCount the highest reset count seen
 * @param lastClockMillis the highest clock seen within that reset count
 */
public record EnrolledDevice(
        String deviceId,
        ECPublicKey signer,
        ECPublicKey attestationKey,
        Sha256 endorsement,
        Assurance assurance,
        long lastResetCount,
        long lastClockMillis) {
    private static final int MAX_JSON_BYTES = 8192;

    /** The record after evidence that passed; keep it, so that a clock that goes backwards is noticed. */
    public EnrolledDevice seen(long resetCount, long clockMillis) {
        return new EnrolledDevice(deviceId, signer, attestationKey, endorsement, assurance, resetCount, clockMillis);
    }

    public ObjectNode toJson() {
        return Json.object()
                .put("format", 1)
                .put("device", deviceId)
                .put("signer", P256.encode(signer).hex())
                .put("attestationKey", P256.encode(attestationKey).hex())
                .put("endorsement", endorsement.hex())
                .put("assurance", assurance.name())
                .put("lastResetCount", lastResetCount)
                .put("lastClockMillis", lastClockMillis);
    }

    public static Verdict<EnrolledDevice> fromJson(byte[] utf8) {
        return Json.readObject(utf8, MAX_JSON_BYTES).then(EnrolledDevice::fromJson);
    }

    public static Verdict<EnrolledDevice> fromJson(JsonNode node) {
        return Verdict.of(() -> {
            if (node.path("format").asInt() != 1) {
                throw wrong("format");
            }
            Assurance assurance = Arrays.stream(Assurance.values())
                    .filter(a -> a.name().equals(text(node, "assurance")))
                    .findFirst()
                    .orElseThrow(() -> wrong("assurance"));
            return new EnrolledDevice(
                    text(node, "device"),
                    key(node, "signer"),
                    key(node, "attestationKey"),
                    Sha256.fromHex(text(node, "endorsement")).orThrow(),
                    assurance,
                    number(node, "lastResetCount"),
                    number(node, "lastClockMillis"));
        });
    }

    private static ECPublicKey key(JsonNode node, String name) throws RejectedException {
        Binary xy = Binary.fromHex(text(node, name)).orThrow();
        return P256.publicKey(xy).orThrow();
    }

    private static long number(JsonNode node, String name) throws RejectedException {
        JsonNode value = node.path(name);
        if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
            throw wrong(name);
        }
        return value.longValue();
    }

    private static String text(JsonNode node, String name) {
        return node.path(name).asText("");
    }

    private static RejectedException wrong(String name) {
        return new RejectedException(Code.WIRE_FIELD, name + " of an enrolled device");
    }
}
