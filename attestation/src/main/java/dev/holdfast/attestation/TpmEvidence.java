package dev.holdfast.attestation;

import dev.holdfast.tee.Quoter;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The submodule {@code tpm}: {@code {"attest": bytes, "sig": bytes, "pcrs": {index: value}, "log": [content...], "boot":
 * bytes, "ima": bytes, "nv": [attest, sig]}}, the last three where they are carried. A software bridge fills it in the same
 * form.
 *
 * @param registers the values that the quote's PCR digest covers
 * @param nv the certificate of the measurement register, where that is an NV index
 * @param log contents of the events since the last boot
 * @param bootLog the firmware's log in the TCG's form ({@link BootLog})
 * @param imaLog the kernel's list of measured files ({@link ImaLog})
 */
public record TpmEvidence(
        Binary attest,
        Binary signature,
        SortedMap<Integer, Binary> registers,
        Optional<Quoter.Certificate> nv,
        List<Binary> log,
        Optional<Binary> bootLog,
        Optional<Binary> imaLog) {
    private static final int MAX_ATTEST_BYTES = 512;
    private static final int MAX_PCR = 23;
    private static final String BOOT = "boot";
    private static final String IMA = "ima";
    private static final String NV = "nv";
    private static final Set<String> KNOWN = Set.of("attest", "sig", "pcrs", "log", BOOT, IMA, NV);

    public TpmEvidence {
        registers = Collections.unmodifiableSortedMap(new TreeMap<>(registers));
        log = List.copyOf(log);
    }

    static TpmEvidence of(Quoter.Quote quote, List<Binary> log, Optional<Binary> bootLog, Optional<Binary> imaLog) {
        return new TpmEvidence(quote.attest(), quote.signature(), quote.registers(), quote.nv(), log, bootLog, imaLog);
    }

    Cbor encode() {
        return encode(Optional.empty());
    }

    /** All submodules. */
    Cbor encode(Optional<VmEvidence> vm) {
        Cbor.DictBuilder pcrs = Cbor.dict();
        registers.forEach((index, value) -> pcrs.put(index, Cbor.of(value)));
        Cbor.DictBuilder inner = Cbor.dict()
                .put("attest", Cbor.of(attest))
                .put("sig", Cbor.of(signature))
                .put("pcrs", pcrs.build())
                .put("log", new Cbor.Array(log.stream().map(Cbor::of).toList()));
        nv.ifPresent(made -> inner.put(NV, Cbor.array(Cbor.of(made.attest()), Cbor.of(made.signature()))));
        bootLog.ifPresent(bytes -> inner.put(BOOT, Cbor.of(bytes)));
        imaLog.ifPresent(bytes -> inner.put(IMA, Cbor.of(bytes)));
        Cbor.DictBuilder submodules = Cbor.dict().put("tpm", inner.build());
        vm.ifPresent(machine -> submodules.put(VmEvidence.NAME, machine.encode()));
        return submodules.build();
    }

    public static TpmEvidence parse(Cbor.Dict submodule) throws RejectedException {
        Claim tpm = new Claim(submodule);
        for (Cbor key : tpm.claims().entries().keySet()) {
            if (!(key instanceof Cbor.Text(String name)) || !KNOWN.contains(name)) {
                throw new RejectedException(Code.ATT_FORMAT, "a field that the submodule tpm does not have");
            }
        }
        if (!(tpm.required("log") instanceof Cbor.Array(List<Cbor> items)) || items.size() > EventLog.MAX_EVENTS) {
            throw new RejectedException(Code.ATT_FORMAT, "the log must be an array of at most " + EventLog.MAX_EVENTS);
        }
        List<Binary> log = new ArrayList<>(items.size());
        for (Cbor item : items) {
            log.add(Claim.bytes(item, 1, Event.MAX_BYTES));
        }
        return new TpmEvidence(
                Claim.bytes(tpm.required("attest"), 1, MAX_ATTEST_BYTES),
                Claim.bytes(tpm.required("sig"), 1, MAX_ATTEST_BYTES),
                registers(Claim.dict(tpm.required("pcrs"))),
                certificate(tpm),
                log,
                carried(tpm, BOOT, PlatformLogs.MAX_BOOT_BYTES),
                carried(tpm, IMA, PlatformLogs.MAX_IMA_BYTES));
    }

    private static SortedMap<Integer, Binary> registers(Cbor.Dict pcrs) throws RejectedException {
        SortedMap<Integer, Binary> values = new TreeMap<>();
        for (Map.Entry<Cbor, Cbor> entry : pcrs.entries().entrySet()) {
            values.put(
                    (int) Claim.number(entry.getKey(), MAX_PCR),
                    Claim.bytes(entry.getValue(), Sha256.BYTES, Sha256.BYTES));
        }
        if (values.isEmpty()) {
            throw new RejectedException(Code.ATT_FORMAT, "no register is quoted");
        }
        return values;
    }

    private static Optional<Quoter.Certificate> certificate(Claim tpm) throws RejectedException {
        if (tpm.claims().get(NV).isEmpty()) {
            return Optional.empty();
        }
        List<Cbor> pair = Claim.array(tpm.required(NV), 2);
        return Optional.of(new Quoter.Certificate(
                Claim.bytes(pair.get(0), 1, MAX_ATTEST_BYTES), Claim.bytes(pair.get(1), 1, MAX_ATTEST_BYTES)));
    }

    private static Optional<Binary> carried(Claim tpm, String key, int maxBytes) throws RejectedException {
        return tpm.claims().get(key).isPresent()
                ? Optional.of(Claim.bytes(tpm.required(key), 1, maxBytes))
                : Optional.empty();
    }
}
