package dev.holdfast.image;

import dev.holdfast.wire.Sha256;

/**
 * What a verified image is.
 *
 * @param digest of the manifest, by which registries and runtimes name it
 * @param created as the image says, such as 2026-11-30T12:00:00Z; empty where it does not
 * @param layers how many
 * @param bytes of all layers, as stored
 * @param signer fingerprint of the key that signed it
 * @param components how many its bill of materials names
 */
public record VerifiedImage(
        Sha256 digest, String created, int layers, long bytes, Sha256 signer, Provenance provenance, int components) {}
