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
 * @param memory what its evidence has shown so far
 * @param firstUse whether it came when a fleet let in whoever was first, and nobody vouched for it since
 */
public record EnrolledDevice(
        String deviceId,
        ECPublicKey signer,
        ECPublicKey attestationKey,
        Sha256 endorsement,
        Assurance assurance,
        DeviceMemory memory,
        boolean firstUse) {
    /** A memory of the most floors takes about 160 KiB. */
    private static final int MAX_JSON_BYTES = 512 * 1024;

    /**
     * 2 is the first with floors, 3 the first whose grant somebody vouched for. A verifier that does not know them must not write the
     * record without them.
     */
    private static final int FORMAT = 3;

    private static final int VOUCHED = 3;
    private static final String FIRST_USE = "firstUse";

    /** A device of which no evidence was seen. */
    public static EnrolledDevice fresh(
            String deviceId, ECPublicKey signer, ECPublicKey attestationKey, Sha256 endorsement, Assurance assurance) {
        return new EnrolledDevice(deviceId, signer, attestationKey, endorsement, assurance, DeviceMemory.NONE, false);
    }

    /** The same device with another memory. */
    public EnrolledDevice with(DeviceMemory other) {
        return new EnrolledDevice(deviceId, signer, attestationKey, endorsement, assurance, other, firstUse);
    }

    /** The same device with another grant. */
    public EnrolledDevice with(Assurance other) {
        return new EnrolledDevice(deviceId, signer, attestationKey, endorsement, other, memory, false);
    }

    /** Why the grant is what it is, and what to do; empty where somebody vouched for it. */
    public String grantNote() {
        return firstUse
                ? ", since it came by first use; if you know this TPM: fleet devices accept " + deviceId
                        + " --endorsement " + endorsement.hex() + " --grants firmware"
                : "";
    }

    public ObjectNode toJson() {
        ObjectNode json = Json.object()
                .put("format", FORMAT)
                .put("device", deviceId)
                .put("signer", P256.encode(signer).hex())
                .put("attestationKey", P256.encode(attestationKey).hex())
                .put("endorsement", endorsement.hex())
                .put("assurance", assurance.name());
        if (firstUse) {
            json.put(FIRST_USE, true);
        }
        memory.into(json);
        return json;
    }

    /**
     * Reads a fleet's record. One of before somebody had to vouch for a device says {@code firmware} by the TPM's own words alone, so it
     * is {@code emulated}; more than that was never granted so.
     */
    public static Verdict<EnrolledDevice> fromJson(byte[] utf8) {
        return Json.readObject(utf8, MAX_JSON_BYTES)
                .then(node -> fromJson(node).then(read -> {
                    boolean before = node.path("format").asInt() < VOUCHED && read.assurance == Assurance.FIRMWARE;
                    return Verdict.accepted(
                            before
                                    ? new EnrolledDevice(
                                            read.deviceId,
                                            read.signer,
                                            read.attestationKey,
                                            read.endorsement,
                                            Assurance.EMULATED,
                                            read.memory,
                                            true)
                                    : read);
                }));
    }

    /** The record of an archived case: what it granted then is what counted. */
    public static Verdict<EnrolledDevice> fromJson(JsonNode node) {
        return Verdict.of(() -> {
            int format = node.path("format").asInt();
            if (format < 1 || format > FORMAT) {
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
                    DeviceMemory.from(node),
                    node.path(FIRST_USE).asBoolean());
        });
    }

    private static ECPublicKey key(JsonNode node, String name) throws RejectedException {
        Binary xy = Binary.fromHex(text(node, name)).orThrow();
        return P256.publicKey(xy).orThrow();
    }

    private static String text(JsonNode node, String name) {
        return node.path(name).asText("");
    }

    private static RejectedException wrong(String name) {
        return new RejectedException(Code.WIRE_FIELD, name + " of an enrolled device");
    }
}
