package dev.holdfast.attestation.verify;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.EnrolmentMessage;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.tpm.TpmKeyArea;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.bouncycastle.cert.X509CertificateHolder;

/**
 * Which endorsement keys a fleet lets in, and what their TPMs are granted. The first rule that fits decides:
 *
 * <ol>
 *   <li>the key is on the list: what the list says;
 *   <li>its certificate leads to a pinned root: what that root grants;
 *   <li>otherwise what {@code others} says, which may be nothing.
 * </ol>
 *
 * A TPM that calls itself emulated, or whose certificate does, is never granted more than {@code EMULATED}; a device
 * without a TPM never more than {@code SOFTWARE}.
 *
 * @param allowed SHA-256 of TPMT_PUBLIC of an endorsement key, to what is granted
 * @param roots pinned certificates of TPM makers
 * @param intermediates certificates between those roots and endorsement certificates; not trusted by themselves
 * @param others what a TPM with an unknown key is granted; empty: it is refused
 * @param software whether devices without a TPM are let in
 */
public record EnrolmentPolicy(
        Map<Sha256, Assurance> allowed,
        List<Root> roots,
        List<X509CertificateHolder> intermediates,
        Optional<Assurance> others,
        boolean software) {
    /** A pinned root and what it vouches for. */
    public record Root(X509CertificateHolder certificate, Assurance grants) {}

    private static final int MAX_JSON_BYTES = 1 << 20;
    private static final Set<String> KEYS =
            Set.of("format", "endorsementKeys", "roots", "intermediates", "others", "software");

    public EnrolmentPolicy {
        allowed = Map.copyOf(allowed);
        roots = List.copyOf(roots);
        intermediates = List.copyOf(intermediates);
    }

    /** Lets every TPM in on first use, none with more than {@code FIRMWARE}: for fleets that enrol at the factory. */
    public static EnrolmentPolicy onFirstUse() {
        return new EnrolmentPolicy(Map.of(), List.of(), List.of(), Optional.of(Assurance.FIRMWARE), true);
    }

    /**
     * Reads a policy file, described in docs/protocol; certificates are PEM files, relative to the file's own folder.
     * {@code CFG-INVALID}.
     */
    public static Verdict<EnrolmentPolicy> read(Path file) {
        return Verdict.of(() -> {
            try {
                return of(
                        Json.readObject(Files.readAllBytes(file), MAX_JSON_BYTES)
                                .orThrow(),
                        file);
            } catch (IOException e) {
                throw invalid(e.toString());
            }
        });
    }

    private static EnrolmentPolicy of(JsonNode json, Path file) throws RejectedException, IOException {
        for (var names = json.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            if (!KEYS.contains(name)) {
                throw invalid("unknown key " + name);
            }
        }
        if (json.path("format").asInt() != 1) {
            throw invalid("format must be 1");
        }
        Map<Sha256, Assurance> allowed = new HashMap<>();
        for (Map.Entry<String, JsonNode> entry : json.path("endorsementKeys").properties()) {
            allowed.put(
                    Sha256.fromHex(entry.getKey()).orThrow(),
                    assurance(entry.getValue().asText()));
        }
        List<Root> roots = new ArrayList<>();
        for (JsonNode root : json.path("roots")) {
            Assurance grants = assurance(root.path("grants").asText());
            for (X509CertificateHolder one : EndorsementChain.pem(
                    file.resolveSibling(root.path("certificate").asText()))) {
                roots.add(new Root(one, grants));
            }
        }
        List<X509CertificateHolder> intermediates = new ArrayList<>();
        for (JsonNode one : json.path("intermediates")) {
            intermediates.addAll(EndorsementChain.pem(file.resolveSibling(one.asText())));
        }
        String others = json.path("others").asText("");
        return new EnrolmentPolicy(
                allowed,
                roots,
                intermediates,
                others.equals("refuse") ? Optional.empty() : Optional.of(assurance(others)),
                json.path("software").asBoolean(false));
    }

    /** What a TPM is granted; {@code ATT-ENROL} where it is not let in. */
    Assurance grant(EnrolmentMessage.Request asked, TpmKeyArea endorsement, Clock clock) throws RejectedException {
        Assurance listed = allowed.get(Sha256.of(asked.endorsement().toArray()));
        if (listed != null) {
            return asked.declared() == Assurance.EMULATED ? weaker(listed, Assurance.EMULATED) : listed;
        }
        String why = "its maker's certificate is absent";
        if (asked.endorsementCertificate().length() > 0 && !roots.isEmpty()) {
            switch (EndorsementChain.check(asked.endorsementCertificate(), endorsement, this, clock.instant())) {
                case Verdict.Accepted<EndorsementChain.Vouched>(EndorsementChain.Vouched vouched) -> {
                    boolean emulated = vouched.emulated() || asked.declared() == Assurance.EMULATED;
                    return emulated ? weaker(vouched.grants(), Assurance.EMULATED) : vouched.grants();
                }
                case Verdict.Rejected<EndorsementChain.Vouched>(var reason) -> why = reason.detail();
            }
        }
        if (others.isEmpty()) {
            throw EnrolmentMessage.refused("the endorsement key is unknown: " + why);
        }
        return asked.declared() == Assurance.EMULATED ? weaker(others.get(), Assurance.EMULATED) : others.get();
    }

    private static Assurance weaker(Assurance a, Assurance b) {
        return a.compareTo(b) < 0 ? a : b;
    }

    private static Assurance assurance(String name) throws RejectedException {
        return Arrays.stream(Assurance.values())
                .filter(one -> one != Assurance.SOFTWARE && one.name().equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow(() -> invalid("a TPM is hardware, firmware or emulated, not " + name));
    }

    private static RejectedException invalid(String detail) {
        return new RejectedException(Code.CFG_INVALID, "enrolment policy: " + detail);
    }
}
