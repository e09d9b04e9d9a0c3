package dev.holdfast.attestation;

import dev.holdfast.tee.Quoter;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.ArrayList;
import java.util.List;

/**
 * The submodule {@code tpm}: {@code {"attest": bytes, "sig": bytes, "pcr": [index, value], "log": [content...]}}. A
 * software bridge fills it in the same form.
 */
record TpmEvidence(Binary attest, Binary signature, int pcr, Sha256 value, List<Binary> log) {
    private static final int MAX_ATTEST_BYTES = 512;

    static Cbor encode(Quoter.Quote quote, int pcr, List<Binary> log) {
        Cbor inner = Cbor.dict()
                .put("attest", Cbor.of(quote.attest()))
                .put("sig", Cbor.of(quote.signature()))
                .put("pcr", Cbor.array(Cbor.of(pcr), Cbor.of(quote.registerValue())))
                .put("log", new Cbor.Array(log.stream().map(Cbor::of).toList()))
                .build();
        return Cbor.dict().put("tpm", inner).build();
    }

    static TpmEvidence parse(Cbor.Dict claims) throws RejectedException {
        Cbor.Dict submods = Claim.dict(new Claim(claims).required(EvidenceClaims.SUBMODS));
        Claim tpm = new Claim(Claim.dict(new Claim(submods).required("tpm")));
        if (submods.entries().size() != 1 || tpm.claims().entries().size() != 4) {
            throw new RejectedException(Code.ATT_FORMAT, "submodules that this profile does not have");
        }
        List<Cbor> pcr = tpm.array("pcr", 2);
        if (!(tpm.required("log") instanceof Cbor.Array(List<Cbor> items)) || items.size() > EventLog.MAX_EVENTS) {
            throw new RejectedException(Code.ATT_FORMAT, "the log must be an array of at most " + EventLog.MAX_EVENTS);
        }
        List<Binary> log = new ArrayList<>();
        for (Cbor item : items) {
            log.add(Claim.bytes(item, 1, Event.MAX_BYTES));
        }
        return new TpmEvidence(
                Claim.bytes(tpm.required("attest"), 1, MAX_ATTEST_BYTES),
                Claim.bytes(tpm.required("sig"), 1, MAX_ATTEST_BYTES),
                (int) Claim.number(pcr.get(0), Integer.MAX_VALUE),
                new Sha256(Claim.bytes(pcr.get(1), Sha256.BYTES, Sha256.BYTES)),
                log);
    }
}
