package dev.holdfast.attestation;

import dev.holdfast.tee.VmReporter;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Optional;
import java.util.Set;

/**
 * The submodule {@code vm}: {@code {"provider": text, "report": bytes, "aux": bytes}}, a report on the confidential
 * virtual machine in which the agent runs.
 *
 * @param provider the kernel's name of the report's format
 * @param report as the guard signed it
 * @param auxiliary what the host brought with it; may be empty
 */
public record VmEvidence(String provider, Binary report, Binary auxiliary) {
    public static final String NAME = "vm";
    /** The entry of {@code hf-platform} that says what became of it. */
    public static final String FATE = "vm-report";

    private static final String LABEL = "holdfast-vm-1";
    private static final Set<String> KNOWN = Set.of("provider", "report", "aux");

    static VmEvidence of(VmReporter.Report report) {
        return new VmEvidence(report.provider(), report.report(), report.auxiliary());
    }

    /** What the report must carry: SHA-512 of a label, the nonce, and the claims. 64 bytes. */
    static Binary reportData(EvidenceClaims claims) {
        try {
            MessageDigest hash = MessageDigest.getInstance("SHA-512");
            hash.update(LABEL.getBytes(StandardCharsets.US_ASCII));
            hash.update(claims.nonce().toArray());
            return Binary.copyOf(hash.digest(CborWriter.write(claims.toCbor())));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // Every Java runtime has it.
        }
    }

    /** What does not fit the claims; empty where all fits. */
    public Optional<String> misfit(EvidenceClaims claims) {
        if (!provider.equals(claims.platform().get(FATE))) {
            return Optional.of("the claims name another provider than " + provider);
        }
        return switch (VmReport.parse(this)) {
            case Verdict.Rejected<VmReport>(var reason) -> Optional.of(reason.detail());
            case Verdict.Accepted<VmReport>(VmReport read)
            when !read.reportData().equals(reportData(claims)) ->
                Optional.of("the report does not carry nonce and claims");
            case Verdict.Accepted<VmReport>(VmReport read)
            when read.debug() -> Optional.of("the host may look into this machine (debug)");
            case Verdict.Accepted<VmReport> _ -> Optional.empty();
        };
    }

    Cbor encode() {
        return Cbor.dict()
                .put("provider", Cbor.of(provider))
                .put("report", Cbor.of(report))
                .put("aux", Cbor.of(auxiliary))
                .build();
    }

    public static VmEvidence parse(Cbor.Dict submodule) throws RejectedException {
        Claim read = new Claim(submodule);
        for (Cbor key : submodule.entries().keySet()) {
            if (!(key instanceof Cbor.Text(String name)) || !KNOWN.contains(name)) {
                throw new RejectedException(Code.ATT_FORMAT, "a field that the submodule vm does not have");
            }
        }
        return new VmEvidence(
                read.text("provider"),
                Claim.bytes(read.required("report"), 1, VmReporter.MAX_REPORT_BYTES),
                Claim.bytes(read.required("aux"), 0, VmReporter.MAX_AUXILIARY_BYTES));
    }
}
