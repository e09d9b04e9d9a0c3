#!/usr/bin/env python3
"""A verifier of evidence, built from docs/verifying.md with python3-cryptography and python3-cbor2.
    verify.py vectors.json      appraises each case and compares with what is expected
    verify.py archive.json      appraises what fleet attest --archive wrote; whose archive it is, is not checked here"""
import base64, hashlib, json, re, struct, sys
import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

CLAIMS = {10, 256, 265, 266, 267, 270, 271, 273} | set(
    "hf-models hf-epoch-floors hf-assurance hf-register hf-platform hf-sandbox hf-log-broken".split())
MODEL = "type model version digest authority target release epoch template gate tokenizer slot".split()
EVENTS = {"model-serve": MODEL, "model-rollback": MODEL, "model-retire": MODEL, "model-grace": MODEL, "model-grace-end": MODEL,
          "agent-start": ["type", "name", "version"]}
RELEASE = "slot release epoch template gate target type tokenizer".split()  # of a claim, as hf-models has them
GRANTS = ["software", "emulated", "firmware", "hardware"]
BROKEN = (InvalidSignature, ValueError, LookupError, TypeError, AttributeError, OverflowError, struct.error, cbor2.CBORError)

def insist(*holds):
    if not all(holds):
        raise ValueError("does not hold")

def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def write(value):
    return cbor2.dumps(value, canonical=True)

def read(data):  # the one deterministic form alone: no key twice, nothing behind it
    value = cbor2.loads(data)
    insist(write(value) == data)
    return value

def verify(key, message, r, s):  # ES256 by a key of 64 bytes, x || y
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\4" + key)
    signature = utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    point.verify(signature, message, ec.ECDSA(hashes.SHA256()))

def sized(data, at):  # TPM2B: 16 bits of length, then the bytes
    end = at + 2 + struct.unpack_from(">H", data, at)[0]
    return data[at + 2:end], end

def texts(one, names):  # as JSON has them
    return {name: one[name].hex() if isinstance(one[name], bytes) else one[name] for name in names}

def quoted(tpm, key, qualifying):  # resets and clock of a quote that holds (TPM 2.0 Library, Part 2, 10.12: TPMS_ATTEST)
    attest, sig, pcrs = tpm["attest"], tpm["sig"], sorted(tpm["pcrs"])
    extra, at = sized(attest, sized(attest, 6)[1])
    clock, resets = struct.unpack_from(">QI", attest, at)
    selected = struct.pack(">IHB", 1, 0x0B, 3) + sum(1 << pcr for pcr in pcrs).to_bytes(3, "little")
    digest = sha(*(tpm["pcrs"][pcr] for pcr in pcrs))
    insist(attest[:6].hex() == "ff5443478018", extra == qualifying, attest[at + 25:] == selected + b"\0\x20" + digest)
    insist(sig[:4].hex() == "0018000b")
    r, end = sized(sig, 4)
    verify(key, attest, r, sized(sig, end)[0])
    return resets, clock

def replay(log, newer):  # the last event of each place, which agent started last, and whether all is known
    last, started, known = {}, None, True
    for event in map(read, log):
        fields = EVENTS.get(event["type"], [])
        known = known and set(event) == set(fields)
        insist(known or newer)
        one = {name: event[name] for name in fields}
        if fields is MODEL:  # of a model there is one release in service, and beside it those in their grace
            slot = texts(one, ["target", "release", "epoch", "digest", "template", "gate"])
            insist(one["slot"] == sha(json.dumps(slot, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()))
            model, grace = one["model"], one["slot"] if "grace" in one["type"] else b""
            if one["type"] in ("model-retire", "model-grace-end"):
                last = {at: kept for at, kept in last.items() if at[0] != model or grace and at[1] != grace}
            else:
                last[model, grace] = one
        started = one["version"] if "name" in one else started
    return [last[at] for at in sorted(last)], started, known

def judge(case, need, want):  # the state of each model
    need("FORMAT")
    device, policy, envelope = case["device"], case["policy"], read(base64.b64decode(case["evidence"]))
    header, unprotected, payload, signature = envelope.value
    protected, claims = read(header), read(payload)
    tpm, (register, resettable), version = claims[266]["tpm"], claims["hf-register"], claims[271][0]
    parts, releases = [read(part) for kind, part in claims.get(273, []) if kind == 65000], claims.get("hf-models", [])
    newer = re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){2}", version) and [*map(int, version.split("."))] > [0, 1, 0]
    newer, familiar = newer and policy.get("allowNewer"), set(claims) <= CLAIMS
    insist(envelope.tag == 18, not unprotected, set(protected) == {1, 4}, protected[1] == -7, familiar or newer)
    insist(claims[265] == "tag:holdfast.dev,2026:evidence-2", len(parts) == len(claims.get(273, [])) == len(releases))
    insist(*(set(part) == {1, 2, 3} and len(release) == 9 for part, release in zip(parts, releases)))
    key = bytes.fromhex(device["signer"])
    thumbprint = sha(write({1: 2, -1: 1, -2: key[:32], -3: key[32:]}))  # RFC 9679
    need("SIGNATURE", protected[4] == thumbprint, claims[256] == b"\1" + thumbprint)
    verify(key, write(["Signature1", header, b"", payload]), signature[:32], signature[32:])
    need("NONCE", claims[10].hex() == case["nonce"])
    need("FRESHNESS", case.get("ageNanos", 1 << 63) <= policy.get("freshnessSeconds", 1 << 63) * 10 ** 9)
    need("QUOTE")
    bare = write({name: claims[name] for name in claims if name != 266})
    moment = quoted(tpm, bytes.fromhex(device["attestationKey"]), sha(b"holdfast-attest-1", claims[10], sha(bare)))
    wanted = int(str(policy.get("register", 14)).removeprefix("pcr:"))  # an NV index as register is not in these lines
    insist(register == wanted, wanted in tpm["pcrs"], "nv" not in tpm)
    guarded = device["assurance"] == "SOFTWARE" or not resettable and wanted not in (16, 23)
    need("ASSURANCE", guarded or policy.get("allowResettableRegister"))
    want("ASSURANCE", guarded)
    need("LOG", "hf-log-broken" not in claims)
    value, values = bytes(32), [bytes(32)]
    for event in tpm["log"]:
        values.append(value := sha(value, sha(event)))
    end = values.index(tpm["pcrs"][wanted])  # the log was read after the quote and may be longer
    need("EVENT")
    logged, started, known = replay(tpm["log"][:end], newer)
    insist(known and familiar or started == version)
    want("FORMAT", familiar)
    want("EVENT", known)
    need("LOG", [release[:8] for release in releases] == [[one[name] for name in RELEASE] for one in logged], parts == [
        {1: [one["model"], [one["version"], 16384]], 2: ["sha-256", one["digest"]], 3: [one["authority"]]} for one in logged])

    need("REFERENCE")
    published = {(one["target"], one["digest"]): one.get("published") for one in case["references"]}
    states, listed = [release[8] for release in releases], policy.get("models", {})
    listed = listed if isinstance(listed, dict) else dict.fromkeys(listed, {})
    for one, state in zip(logged, states):
        text, demand, allowed = texts(one, MODEL), listed.get(one["model"], {}), not listed or one["model"] in listed
        known = published[text["target"], text["digest"]]
        insist(*(known.get(name, text[name]) == text[name] for name in "model version release epoch template gate".split()))
        insist(text["authority"] in (known["authorities"] or [text["authority"]]), allowed or state == "ABSENT")
        insist(one["type"] != "model-grace" or state == "ABSENT" or demand.get("grace", True))
        insist(one["epoch"] >= demand.get("minEpoch", policy.get("minEpoch", 0)))
        want("REFERENCE", allowed)
    serving = {one["model"] for one, state in zip(logged, states) if state != "ABSENT" and one["type"] != "model-grace"}
    want("SERVING", all(name in serving or demand.get("optional") for name, demand in listed.items()) and "UNKNOWN" not in states)
    need("ASSURANCE", GRANTS.index(device["assurance"].lower()) >= GRANTS.index(policy["minAssurance"].lower()))
    asked, least = case["asked"], (device["lastResetCount"], device["lastClockMillis"])
    least = (asked["resetCount"], asked["clockMillis"]) if isinstance(asked, dict) else least
    need("CLOCK", claims[267] == moment[0], moment >= least or asked == "unknown")
    want("CLOCK", moment >= least)
    for one, state in zip(logged, states):
        now, seen = claims["hf-epoch-floors"].get(one["model"], 0), device["floors"].get(one["model"])
        before = seen and moment < (seen["sinceResetCount"], seen["sinceClockMillis"])  # made before that floor was seen
        floor = 0 if not seen or before else seen["epoch"]
        need("FLOOR", now >= floor, not (before and now > seen["epoch"]),
             state == "ABSENT" or one["epoch"] >= max(floor, now if one["type"] == "model-grace" else 0))
    need("PLATFORM", *(tpm["pcrs"].get(int(pcr), b"").hex() in good for pcr, good in policy.get("registers", {}).items()))
    insist("boot" in tpm or not policy.get("requireBootLog"), "ima" in tpm or not policy.get("requireImaLog"))  # not their contents
    need("REFERENCE", version in policy.get("agentVersions", [version]))
    want("ASSURANCE", all(claims["hf-sandbox"].get(fact) == value for fact, value in policy.get("facts", {}).items()))
    return states

def appraise(case):  # the status, and the code of the first check that refuses, or else of the first that warns
    step, warned = "", []

    def need(code, *holds):  # from here on, what does not hold or cannot be read refuses by this code
        nonlocal step
        step = "ATT-" + code
        insist(*holds)

    try:
        states = judge(case, need, lambda code, holds: holds or warned.append("ATT-" + code))
    except BROKEN:
        return "contraindicated", step
    status = "none" if set(states) <= {"ABSENT"} else "warning" if warned else "affirming"
    return status, (warned + [""])[0]

if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    if "signed" in document:
        sys.exit(print(*appraise(document["signed"]["case"])))
    differing = [one["name"] for one in document["vectors"] if appraise(one["case"]) != (one["status"], one["code"])]
    print(len(document["vectors"]), "vectors; judged otherwise:", differing)
    sys.exit(1 if differing else 0)
