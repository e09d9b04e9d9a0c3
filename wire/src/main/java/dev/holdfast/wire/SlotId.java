package dev.holdfast.wire;

/**
 * Names what serves, where a digest names a file only: SHA-256 over the canonical JSON of everything that was signed of a
 * release and changes what it does on a device. The same bytes with another template, gate, release or epoch are another slot.
 */
public record SlotId(Sha256 value) {
    /**
     * The slot of a release.
     *
     * @param target path under which it was signed
     * @param release counter of the model's releases
     * @param epoch security epoch
     * @param digest of the file
     * @param template {@link CanonicalJson#digest} of the chat template as signed
     * @param gate the same of the health gate
     */
    public static SlotId of(String target, long release, long epoch, Sha256 digest, Sha256 template, Sha256 gate) {
        return new SlotId(CanonicalJson.digest(Json.object()
                .put("target", target)
                .put("release", release)
                .put("epoch", epoch)
                .put("digest", digest.hex())
                .put("template", template.hex())
                .put("gate", gate.hex())));
    }

    /** Reads 64 hexadecimal digits. */
    public static Verdict<SlotId> fromHex(String hex) {
        return Sha256.fromHex(hex).then(value -> Verdict.accepted(new SlotId(value)));
    }

    public String hex() {
        return value.hex();
    }

    @Override
    public String toString() {
        return hex();
    }
}
