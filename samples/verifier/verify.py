#!/usr/bin/env python3
"""A verifier of evidence in two hundred lines, built from docs/verifying.md with python3-cryptography and python3-cbor2.
    verify.py vectors.json      appraises each case and compares with what is expected
    verify.py archive.json      appraises what fleet attest --archive wrote; whose archive it is, is not checked here"""
import base64, hashlib, json, struct, sys
import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

CLAIMS = {10, 256, 265, 266, 267, 270, 271, 273} | {"hf-" + name for name in (
    "models", "epoch-floors", "assurance", "register", "platform", "sandbox", "log-broken")}
EVENT = set("type model version digest authority target release epoch template gate tokenizer slot".split())
KINDS = {"model-serve", "model-rollback", "model-retire", "model-grace", "model-grace-end"}
VERSION = [0, 1, 0]  # of the agents whose evidence this program knows
ASSURANCE = ["software", "emulated", "firmware", "hardware"]
BROKEN = (ValueError, LookupError, TypeError, AttributeError, struct.error, cbor2.CBORDecodeError)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def cbor(data):  # the one deterministic form alone: no key twice, nothing behind it
    value = cbor2.loads(data)
    if cbor2.dumps(value, canonical=True) != data:
        raise ValueError("not deterministic CBOR")
    return value


def signed(key, message, r, s):  # ES256 by a key of 64 bytes, x || y
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\4" + bytes.fromhex(key))
    der = utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    try:
        return point.verify(der, message, ec.ECDSA(hashes.SHA256())) is None
    except InvalidSignature:
        return False


def sized(data, at):  # TPM2B: 16 bits of length, then the bytes
    end = at + 2 + struct.unpack_from(">H", data, at)[0]
    return data[at + 2:end], end


def quoted(attest):  # TPMS_ATTEST (TPM 2.0 Library Part 2, 10.12.8): qualifying data, moment, registers, their digest
    if attest[:6] != bytes.fromhex("ff5443478018"):
        raise ValueError("not a quote")
    extra, at = sized(attest, sized(attest, 6)[1])
    clock, reset, _, _, _, banks = struct.unpack_from(">QIIBQI", attest, at)
    registers, at = [], at + 29
    for _ in range(banks):
        bank, size = struct.unpack_from(">HB", attest, at)
        bits, at = int.from_bytes(attest[at + 3:at + 3 + size], "little"), at + 3 + size
        registers += [(bank, pcr) for pcr in range(24) if bits >> pcr & 1]
    return extra, (reset, clock), registers, sized(attest, at)[0]


def slot(one):
    fields = {name: one[name].hex() if isinstance(one[name], bytes) else one[name]
              for name in ("target", "release", "epoch", "digest", "template", "gate")}
    return sha(json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def place(one):  # of a model there is one release in service, and beside it those in their grace
    return one["model"] + (" " + one["slot"].hex() if one["type"].startswith("model-grace") else "")


def newer(version):
    numbers = [part for part in version.split(".") if part.isdecimal() and len(part) < 10]
    return len(numbers) == version.count(".") + 1 == 3 and [int(part) for part in numbers] > VERSION


def replay(log, allowed):  # the last event of each place, the agent that started last, and whether all is known
    last, agent, known = {}, None, True
    for one in map(cbor, log):
        fields = {"type", "name", "version"} if one["type"] == "agent-start" else EVENT
        unknown = fields == EVENT and one["type"] not in KINDS
        known = known and not unknown and set(one) == fields
        if not known and not allowed or not unknown and (not fields <= set(one) or fields == EVENT and one["slot"] != slot(one)):
            raise ValueError("an event that is not known")
        if fields != EVENT:
            agent = one["version"]
        if unknown or fields != EVENT:
            continue
        one = {name: one[name] for name in EVENT}
        gone = {"model-retire": one["model"] + " ", "model-grace-end": place(one) + " "}.get(one["type"])
        last = {at: kept for at, kept in last.items() if not gone or not (at + " ").startswith(gone)}
        last.update({} if gone else {place(one): one})
    return [last[at] for at in sorted(last)], agent, known


def models(claims):  # what claims 273 and hf-models say, as events, each with its state
    if len(claims.get(273, [])) != len(claims.get("hf-models", [])):
        raise ValueError("two lists of different length")
    return [(dict(zip(("slot", "release", "epoch", "template", "gate", "target", "type", "tokenizer"), release), model=part[1][0],
                  version=part[1][1][0], digest=part[2][1], authority=part[3][0]), release[8])
            for part, release in zip([cbor(one[1]) for one in claims.get(273, [])], claims.get("hf-models", []))]


def appraise(case):  # the status, and the code of the first check that refuses, or else of the first that warns
    refused, warned = [], []

    def check(holds, code, to=refused):
        holds or to.append("ATT-" + code)

    device, policy = case["device"], case["policy"]
    try:
        envelope = cbor(base64.b64decode(case["evidence"]))
        header, unprotected, payload, signature = envelope.value
        claims, protected = cbor(payload), cbor(header)
        tpm, (register, resettable), measured = claims[266]["tpm"], claims["hf-register"], models(claims)
        allowed = policy.get("allowNewer", False) and newer(claims[271][0])
        if envelope.tag != 18 or unprotected or set(protected) != {1, 4} or protected[1] != -7 \
                or not (set(claims) <= CLAIMS or allowed) or claims[265] != "tag:holdfast.dev,2026:evidence-2":
            raise ValueError("another profile")
    except BROKEN:
        return "contraindicated", "ATT-FORMAT"
    x, y = bytes.fromhex(device["signer"][:64]), bytes.fromhex(device["signer"][64:])
    thumbprint = sha(cbor2.dumps({1: 2, -1: 1, -2: x, -3: y}, canonical=True))  # RFC 9679
    structure = cbor2.dumps(["Signature1", header, b"", payload])
    if not (protected[4] == thumbprint and claims[256] == b"\1" + thumbprint
            and signed(device["signer"], structure, signature[:32], signature[32:])):
        return "contraindicated", "ATT-SIGNATURE"
    check(claims[10].hex() == case["nonce"], "NONCE")
    check(case.get("ageNanos", 1 << 63) <= policy.get("freshnessSeconds", 1 << 63) * 10 ** 9, "FRESHNESS")

    pcrs, moment = tpm["pcrs"], None
    bare = cbor2.dumps({key: claims[key] for key in claims if key != 266}, canonical=True)
    try:
        extra, when, registers, digest = quoted(tpm["attest"])
        r, at = sized(tpm["sig"], 4)
        whole = tpm["sig"][:4] == bytes.fromhex("0018000b") and signed(device["attestationKey"], tpm["attest"], r, sized(tpm["sig"], at)[0])
        covers = extra == sha(b"holdfast-attest-1", claims[10], sha(bare)) and registers == [(0x0B, pcr) for pcr in sorted(pcrs)] \
            and digest == sha(*(pcrs[pcr] for pcr in sorted(pcrs)))
        moment = when if whole and covers else None
    except BROKEN:
        pass
    check(moment, "QUOTE")
    wanted = int(str(policy.get("register", 14)).removeprefix("pcr:"))  # an NV index as register is not in these lines
    check(register == wanted and wanted in pcrs and "nv" not in tpm, "QUOTE")
    if (resettable or wanted in (16, 23)) and device["assurance"] != "SOFTWARE":
        check(False, "ASSURANCE", warned if policy.get("allowResettableRegister") else refused)
    value, prefix = bytes(32), 0  # the log was read after the quote and may be longer
    while value != pcrs.get(wanted) and prefix < len(tpm["log"]):
        value, prefix = sha(value, sha(tpm["log"][prefix])), prefix + 1
    leads = value == pcrs.get(wanted)
    check(leads and "hf-log-broken" not in claims, "LOG")
    logged, started, known = [], None, True
    try:
        logged, started, known = replay(tpm["log"][:prefix] if leads else [], allowed)
    except BROKEN:
        check(False, "EVENT")
    if not known or not set(claims) <= CLAIMS:
        check(started == claims[271][0], "EVENT")
        check(set(claims) <= CLAIMS, "FORMAT", warned)
        check(known, "EVENT", warned)
    check([one for one, _ in measured] == logged, "LOG")

    published = {(one["target"], one["digest"]): one.get("published") for one in case["references"]}
    listed = policy.get("models", {})
    listed = listed if isinstance(listed, dict) else {name: {} for name in listed}
    for one, state in measured:
        text = {name: one[name].hex() if isinstance(one[name], bytes) else one[name] for name in one}
        known = published.get((text["target"], text["digest"]))
        check(known and all(known.get(name, text[name]) == text[name] for name in ("model", "version", "release", "epoch", "template", "gate"))
              and text["authority"] in (known["authorities"] or [text["authority"]]), "REFERENCE")
        demand = listed.get(one["model"], {})
        check(not listed or one["model"] in listed, "REFERENCE", warned if state == "ABSENT" else refused)
        check(one["type"] != "model-grace" or state == "ABSENT" or demand.get("grace", True), "REFERENCE")
        check(one["epoch"] >= demand.get("minEpoch", policy.get("minEpoch", 0)), "REFERENCE")
    serving = {one["model"] for one, state in measured if state != "ABSENT" and one["type"] != "model-grace"}
    check(all(name in serving or demand.get("optional") for name, demand in listed.items()), "SERVING", warned)
    check(all(state != "UNKNOWN" for _, state in measured), "SERVING", warned)
    check(ASSURANCE.index(device["assurance"].lower()) >= ASSURANCE.index(policy["minAssurance"].lower()), "ASSURANCE")
    if moment:
        asked, newest = case["asked"], (device["lastResetCount"], device["lastClockMillis"])
        least = (asked["resetCount"], asked["clockMillis"]) if isinstance(asked, dict) else newest
        check(claims[267] == moment[0], "CLOCK")
        check(moment >= least, "CLOCK", warned if asked == "unknown" else refused)
        for one, state in measured:
            now, seen = claims["hf-epoch-floors"].get(one["model"], 0), device["floors"].get(one["model"])
            before = seen and moment < (seen["sinceResetCount"], seen["sinceClockMillis"])  # made before that floor was seen
            floor = 0 if not seen or before else seen["epoch"]
            check(now >= floor and not (before and now > seen["epoch"]), "FLOOR")
            check(state == "ABSENT" or one["epoch"] >= max(floor, now if one["type"] == "model-grace" else 0), "FLOOR")
    check(all(pcrs.get(int(pcr), b"").hex() in allowed for pcr, allowed in policy.get("registers", {}).items()), "PLATFORM")
    for name, key in (("requireBootLog", "boot"), ("requireImaLog", "ima")):  # what they lead to is not in these lines
        check(key in tpm or not policy.get(name), "PLATFORM")
    check(claims[271][0] in policy.get("agentVersions", claims[271]), "REFERENCE")
    check(all(claims["hf-sandbox"].get(fact) == value for fact, value in policy.get("facts", {}).items()), "ASSURANCE", warned)
    none = all(state == "ABSENT" for _, state in measured)
    return "contraindicated" if refused else "none" if none else "warning" if warned else "affirming", (refused + warned + [""])[0]


def main(path):
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    if "signed" in document:
        print(*appraise(document["signed"]["case"]))
        return 0
    differing = [vector["name"] for vector in document["vectors"] if appraise(vector["case"]) != (vector["status"], vector["code"])]
    print(len(document["vectors"]), "vectors; judged otherwise:", differing)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
