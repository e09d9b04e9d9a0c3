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
import java.util.Set;
import org.bouncycastle.cert.X509CRLHolder;
import org.bouncycastle.cert.X509CertificateHolder;

/**
 * What the TPMs of a fleet are granted, by their endorsement keys. The first rule that fits decides:
 *
 * <ol>
 *   <li>the key is on the list: what the list says;
 *   <li>its certificate leads to a pinned root and is not revoked: what that root grants;
 *   <li>otherwise {@code EMULATED}, since the TPM's own words are all that there is.
 * </ol>
 *
 * Whom the first two vouch for is let in. Any other device waits for a person, or is refused where {@code pending} is false. A TPM that
 * calls itself emulated, or whose certificate does, is never granted more than {@code EMULATED}; a device without a TPM never more than
 * {@code SOFTWARE}.
 *
 * @param allowed SHA-256 of TPMT_PUBLIC of an endorsement key, to what is granted
 * @param roots pinned certificates of TPM makers
 * @param intermediates certificates between those roots and endorsement certificates; not trusted by themselves
 * @param revocations what makers have revoked, and where a current list must be there
 * @param pending whether a device that nobody vouches for may wait until somebody accepts it
 * @param software whether devices without a TPM may come
 */
public record EnrolmentPolicy(
        Map<Sha256, Assurance> allowed,
        List<Root> roots,
        List<X509CertificateHolder> intermediates,
        Revocations revocations,
        boolean pending,
        boolean software) {
    /** A pinned root and what it vouches for. */
    public record Root(X509CertificateHolder certificate, Assurance grants) {}

    /**
     * Revocation lists that somebody put into the fleet's folder; nothing is fetched.
     *
     * @param lists of makers; those that are out of date count still, for what they list
     * @param required whether a chain counts only where each of its issuers but none of the roots' has a list that is in date
     */
    public record Revocations(List<X509CRLHolder> lists, boolean required) {
        static final Revocations NONE = new Revocations(List.of(), false);

        public Revocations {
            lists = List.copyOf(lists);
        }
    }

    /** Who says that a TPM is what it is granted. */
    public enum Basis {
        /** Whoever runs the fleet, by the endorsement key itself. */
        LISTED,
        /** The TPM's maker, by a certificate. */
        CHAINED,
        /** Nobody but the device. */
        NOBODY
    }

    /**
     * What a device may be granted.
     *
     * @param why for a person: why nobody vouches for it; empty where somebody does
     */
    public record Grant(Assurance assurance, Basis basis, String why) {}

    /** Of a fleet that says nothing: whoever comes waits, and devices without a TPM are refused. */
    public static final EnrolmentPolicy DEFAULT =
            new EnrolmentPolicy(Map.of(), List.of(), List.of(), Revocations.NONE, true, false);

    private static final int MAX_JSON_BYTES = 1 << 20;
    private static final Set<String> KEYS =
            Set.of("format", "endorsementKeys", "roots", "intermediates", "crls", "requireCrls", "others", "software");

    public EnrolmentPolicy {
        allowed = Map.copyOf(allowed);
        roots = List.copyOf(roots);
        intermediates = List.copyOf(intermediates);
    }

    /** The same, and devices without a TPM may come. */
    public EnrolmentPolicy withSoftware() {
        return new EnrolmentPolicy(allowed, roots, intermediates, revocations, pending, true);
    }

    /**
     * Reads a policy file, described in docs/protocol; certificates and revocation lists are files of their own, relative to the
     * file's folder. {@code CFG-INVALID}.
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
            for (X509CertificateHolder one : MakerFiles.certificates(
                    file.resolveSibling(root.path("certificate").asText()))) {
                roots.add(new Root(one, grants));
            }
        }
        List<X509CertificateHolder> intermediates = new ArrayList<>();
        for (JsonNode one : json.path("intermediates")) {
            intermediates.addAll(MakerFiles.certificates(file.resolveSibling(one.asText())));
        }
        List<X509CRLHolder> lists = new ArrayList<>();
        for (JsonNode one : json.path("crls")) {
            lists.addAll(MakerFiles.revocations(file.resolveSibling(one.asText())));
        }
        return new EnrolmentPolicy(
                allowed,
                roots,
                intermediates,
                new Revocations(lists, flag(json, "requireCrls")),
                pending(json.path("others").asText("pending")),
                flag(json, "software"));
    }

    private static boolean flag(JsonNode json, String name) throws RejectedException {
        JsonNode value = json.path(name);
        if (!value.isMissingNode() && !value.isBoolean()) {
            throw invalid(name + " must be true or false");
        }
        return value.asBoolean(false);
    }

    private static boolean pending(String others) throws RejectedException {
        return switch (others) {
            case "pending" -> true;
            case "refuse" -> false;
            default ->
                throw invalid(
                        "others is \"pending\" or \"refuse\", not \"" + others
                                + "\": an endorsement key that nobody listed or chained is let in by a person, a list or a token");
        };
    }

    /** What a TPM may be granted; {@code ATT-ENROL} where its maker revoked it. */
    Grant grant(EnrolmentMessage.Request asked, TpmKeyArea endorsement, Clock clock) throws RejectedException {
        Assurance listed = allowed.get(Sha256.of(asked.endorsement().toArray()));
        if (listed != null) {
            return new Grant(capped(listed, asked.declared()), Basis.LISTED, "");
        }
        String why = asked.endorsementCertificate().length() == 0
                ? "the TPM has no certificate of its maker"
                : "the fleet pins no maker's root";
        if (asked.endorsementCertificate().length() > 0 && !roots.isEmpty()) {
            switch (EndorsementChain.check(asked.endorsementCertificate(), endorsement, this, clock.instant())) {
                case Verdict.Accepted<EndorsementChain.Vouched>(EndorsementChain.Vouched vouched) -> {
                    if (vouched.revoked()) {
                        throw EnrolmentMessage.refused(
                                "the endorsement certificate, or one between it and its root, was revoked by its issuer");
                    }
                    Assurance most = vouched.emulated() ? Assurance.EMULATED : asked.declared();
                    return new Grant(capped(vouched.grants(), most), Basis.CHAINED, "");
                }
                case Verdict.Rejected<EndorsementChain.Vouched>(var reason) -> why = reason.detail();
            }
        }
        return new Grant(Assurance.EMULATED, Basis.NOBODY, why);
    }

    /** What a device gets of a grant: what calls itself an emulator, or has no TPM, never more than that. */
    public static Assurance capped(Assurance grant, Assurance declared) {
        boolean counts = declared == Assurance.EMULATED || declared == Assurance.SOFTWARE;
        return counts && declared.compareTo(grant) < 0 ? declared : grant;
    }

    /** Reads what a TPM may be granted; {@code CFG-INVALID}. */
    public static Assurance assurance(String name) throws RejectedException {
        return Arrays.stream(Assurance.values())
                .filter(one -> one != Assurance.SOFTWARE && one.name().equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow(() -> invalid("a TPM is hardware, firmware or emulated, not " + name));
    }

    private static RejectedException invalid(String detail) {
        return new RejectedException(Code.CFG_INVALID, "enrolment policy: " + detail);
    }
}
