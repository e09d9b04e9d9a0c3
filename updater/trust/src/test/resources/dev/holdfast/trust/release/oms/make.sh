#!/usr/bin/env bash
# Makes the vectors anew, with fresh keys: openssl signs, nothing of ours does. Usage: ./make.sh, in this folder.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

printf 'a model of one file\n' >model.bin
digest=$(sha256sum model.bin | cut -d' ' -f1)
# Section 6.5.1: the root digest is SHA-256 over the raw digests of all resources, here one.
root=$(printf '%s' "$digest" | xxd -r -p | sha256sum | cut -d' ' -f1)
type=application/vnd.in-toto+json

for curve in p256:prime256v1:sha256 p384:secp384r1:sha384 p521:secp521r1:sha512; do
    IFS=: read -r name group hash <<<"$curve"
    openssl ecparam -name "$group" -genkey -noout -out "$scratch/key.pem"
    openssl pkey -in "$scratch/key.pem" -pubout -out "$name.pem"
    cat >"$scratch/statement.json" <<JSON
{
  "_type": "https://in-toto.io/Statement/v1",
  "subject": [{"name": "model.bin", "digest": {"sha256": "$root"}}],
  "predicateType": "https://model_signing/signature/v1.0",
  "predicate": {
    "resources": [{"name": "model.bin", "algorithm": "sha256", "digest": "$digest"}],
    "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false, "ignore_paths": [".git"]}
  }
}
JSON
    length=$(stat -c %s "$scratch/statement.json")
    { printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$length"; cat "$scratch/statement.json"; } >"$scratch/pae"
    sig=$(openssl dgst "-$hash" -sign "$scratch/key.pem" "$scratch/pae" | base64 -w0)
    hint=$(sha256sum "$name.pem" | cut -d' ' -f1)
    printf '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"%s"},"tlogEntries":[]},"dsseEnvelope":{"payload":"%s","payloadType":"%s","signatures":[{"sig":"%s","keyid":""}]}}\n' \
        "$hint" "$(base64 -w0 "$scratch/statement.json")" "$type" "$sig" >"$name.json"
done
