package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.EnrolmentMessage;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.tpm.TpmKeyArea;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.security.PublicKey;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.ASN1InputStream;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1Primitive;
import org.bouncycastle.asn1.x500.RDN;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.Certificate;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.CertException;
import org.bouncycastle.cert.X509CRLHolder;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509ContentVerifierProviderBuilder;
import org.bouncycastle.cert.path.CertPath;
import org.bouncycastle.cert.path.CertPathValidation;
import org.bouncycastle.cert.path.CertPathValidationContext;
import org.bouncycastle.cert.path.validations.BasicConstraintsValidation;
import org.bouncycastle.cert.path.validations.KeyUsageValidation;
import org.bouncycastle.cert.path.validations.ParentCertIssuedValidation;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.util.Memoable;

/**
 * The endorsement certificate and its chain (TCG EK Credential Profile). Read leniently, by Bouncy Castle: makers have
 * shipped certificates that are BER rather than DER, and NV indexes hold padding behind them. Judged strictly: it must be
 * for the key that enrols, for that purpose, within its dates, and lead to a pinned root by valid signatures. Revocation is looked up in
 * lists that lie in the fleet's folder; nothing is fetched.
 */
public final class EndorsementChain {
    private static final int MAX_LINKS = 5;
    private static final ASN1ObjectIdentifier EK_CERTIFICATE = new ASN1ObjectIdentifier("2.23.133.8.1");
    private static final ASN1ObjectIdentifier TPM_MODEL = new ASN1ObjectIdentifier("2.23.133.2.2");
    /** What RFC 5280 and the profile let be critical, and what is checked here or by the path validation. */
    private static final Set<ASN1ObjectIdentifier> UNDERSTOOD = Set.of(
            Extension.basicConstraints,
            Extension.keyUsage,
            Extension.extendedKeyUsage,
            Extension.subjectAlternativeName,
            Extension.certificatePolicies);

    /**
     * What a certificate says of a TPM.
     *
     * @param grants what the pinned root vouches for
     * @param emulated whether the certificate itself names an emulator as the model
     * @param revoked whether an issuer took back the certificate, or one between it and the root
     */
    public record Vouched(Assurance grants, boolean emulated, boolean revoked) {}

    private EndorsementChain() {}

    public static Verdict<Vouched> check(Binary certificate, TpmKeyArea key, EnrolmentPolicy policy, Instant now) {
        return Verdict.of(() -> {
            try {
                X509CertificateHolder leaf = lenient(certificate.toArray());
                requirePurpose(leaf, key.key());
                List<X509CertificateHolder> path = new ArrayList<>();
                EnrolmentPolicy.Root root = root(leaf, policy, now, path);
                boolean revoked = requireRevocations(path, policy.revocations(), now);
                return new Vouched(root.grants(), emulated(leaf), revoked);
            } catch (IOException | RuntimeException e) {
                // A parser of ASN.1 has many ways to stumble over a hostile certificate; all of them are a refusal.
                throw EnrolmentMessage.refused("the endorsement certificate cannot be read: " + e.getMessage());
            }
        });
    }

    /** The first object in the bytes, whatever follows it. */
    private static X509CertificateHolder lenient(byte[] bytes) throws IOException, RejectedException {
        try (ASN1InputStream in = new ASN1InputStream(bytes)) {
            ASN1Primitive first = in.readObject();
            if (first == null) {
                throw EnrolmentMessage.refused("the endorsement certificate is empty");
            }
            return new X509CertificateHolder(Certificate.getInstance(first));
        }
    }

    private static void requirePurpose(X509CertificateHolder leaf, PublicKey key)
            throws IOException, RejectedException {
        PublicKey certified = new JcaPEMKeyConverter().getPublicKey(leaf.getSubjectPublicKeyInfo());
        if (!Arrays.equals(certified.getEncoded(), key.getEncoded())) {
            throw EnrolmentMessage.refused("the endorsement certificate is for another key");
        }
        // A maker's authority may issue other certificates, too: without its purpose one of them could pass for this.
        if (!isFor(leaf, false)) {
            throw EnrolmentMessage.refused("the certificate is not for the purpose of endorsement (2.23.133.8.1)");
        }
    }

    /** By its extended key usage. An authority without one, or for any purpose, may issue for each (RFC 5280, 4.2.1.12). */
    private static boolean isFor(X509CertificateHolder one, boolean authority) {
        ExtendedKeyUsage usage = ExtendedKeyUsage.fromExtensions(one.getExtensions());
        if (usage == null) {
            return authority;
        }
        return usage.hasKeyPurposeId(KeyPurposeId.getInstance(EK_CERTIFICATE))
                || authority && usage.hasKeyPurposeId(KeyPurposeId.anyExtendedKeyUsage);
    }

    /**
     * Looks for each certificate of the path in the lists of its issuer.
     *
     * @param path from the endorsement certificate to the root
     * @return whether one is revoked; refused where lists are required and one is absent or out of date
     */
    private static boolean requireRevocations(
            List<X509CertificateHolder> path, EnrolmentPolicy.Revocations revocations, Instant now)
            throws RejectedException {
        Date date = Date.from(now);
        for (int i = 0; i + 1 < path.size(); i++) {
            X509CertificateHolder one = path.get(i);
            X509CertificateHolder issuer = path.get(i + 1);
            boolean current = false;
            for (X509CRLHolder list : revocations.lists()) {
                if (list.getIssuer().equals(issuer.getSubject()) && isSigned(list, issuer)) {
                    if (list.getRevokedCertificate(one.getSerialNumber()) != null) {
                        return true;
                    }
                    current |= !date.before(list.getThisUpdate())
                            && list.getNextUpdate() != null
                            && date.before(list.getNextUpdate());
                }
            }
            if (revocations.required() && !current) {
                throw EnrolmentMessage.refused("no revocation list of " + issuer.getSubject() + " is in date");
            }
        }
        return false;
    }

    private static boolean isSigned(X509CRLHolder list, X509CertificateHolder issuer) {
        try {
            KeyUsage usage = KeyUsage.fromExtensions(issuer.getExtensions());
            return (usage == null || usage.hasUsages(KeyUsage.cRLSign))
                    && list.isSignatureValid(new JcaX509ContentVerifierProviderBuilder().build(issuer));
        } catch (CertException | OperatorCreationException e) {
            return false;
        }
    }

    /**
     * Follows issuers until one of them was issued by, or is, a pinned root.
     *
     * @param path takes the certificates from the leaf to that root
     */
    private static EnrolmentPolicy.Root root(
            X509CertificateHolder leaf, EnrolmentPolicy policy, Instant now, List<X509CertificateHolder> path)
            throws RejectedException {
        path.add(leaf);
        while (path.size() < MAX_LINKS) {
            X509CertificateHolder last = path.getLast();
            for (EnrolmentPolicy.Root root : policy.roots()) {
                if (root.certificate().getSubject().equals(last.getIssuer())) {
                    List<X509CertificateHolder> whole = new ArrayList<>(path);
                    whole.add(root.certificate());
                    if (holds(whole, now)) {
                        path.add(root.certificate());
                        return root;
                    }
                }
            }
            Optional<X509CertificateHolder> next = policy.intermediates().stream()
                    .filter(one -> one.getSubject().equals(last.getIssuer()) && !path.contains(one))
                    .findFirst();
            if (next.isEmpty()) {
                break;
            }
            path.add(next.get());
        }
        throw EnrolmentMessage.refused("the endorsement certificate leads to no pinned root");
    }

    private static boolean holds(List<X509CertificateHolder> path, Instant now) {
        Date date = Date.from(now);
        for (X509CertificateHolder one : path) {
            boolean understood = one.getExtensions() == null
                    || Arrays.stream(one.getExtensions().getCriticalExtensionOIDs())
                            .allMatch(UNDERSTOOD::contains);
            if (!one.isValidOn(date) || !understood || !isFor(one, one != path.getFirst())) {
                return false;
            }
        }
        CertPathValidation[] rules = {
            new ParentCertIssuedValidation(new JcaX509ContentVerifierProviderBuilder()),
            new BasicConstraintsValidation(),
            new KeyUsageValidation(),
            new UnderstoodExtensions()
        };
        return new CertPath(path.toArray(new X509CertificateHolder[0]))
                .validate(rules)
                .isValid();
    }

    /** Tells the path validation that the extensions that are checked here may be critical. */
    private static final class UnderstoodExtensions implements CertPathValidation {
        @Override
        public void validate(CertPathValidationContext context, X509CertificateHolder certificate) {
            UNDERSTOOD.forEach(context::addHandledExtension);
        }

        @Override
        public void reset(Memoable other) {
            // nothing is remembered from one certificate to the next
        }

        @Override
        public Memoable copy() {
            return new UnderstoodExtensions();
        }
    }

    /** The TPM's model, in the alternative name's directory name (EK Credential Profile, 3.2.9). */
    private static boolean emulated(X509CertificateHolder leaf) {
        GeneralNames names = GeneralNames.fromExtensions(leaf.getExtensions(), Extension.subjectAlternativeName);
        if (names == null) {
            return false;
        }
        for (GeneralName name : names.getNames()) {
            if (name.getTagNo() == GeneralName.directoryName) {
                for (RDN part : X500Name.getInstance(name.getName()).getRDNs(TPM_MODEL)) {
                    ASN1Encodable model = part.getFirst().getValue();
                    if (model.toString().toLowerCase(java.util.Locale.ROOT).contains("swtpm")) {
                        return true;
                    }
                }
            }
        }
        return false;
    }
}
