package dev.holdfast.packaging;

import dev.holdfast.image.ReleaseSigner;
import java.io.IOException;
import java.io.Reader;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Base64;
import java.util.EnumSet;
import java.util.Set;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x9.X9ObjectIdentifiers;
import org.bouncycastle.crypto.digests.SHA256Digest;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPrivateKeyParameters;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.signers.ECDSASigner;
import org.bouncycastle.crypto.signers.HMacDSAKCalculator;
import org.bouncycastle.crypto.signers.StandardDSAEncoding;
import org.bouncycastle.crypto.util.PrivateKeyFactory;
import org.bouncycastle.crypto.util.SubjectPublicKeyInfoFactory;
import org.bouncycastle.math.ec.FixedPointCombMultiplier;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;

/**
 * The private key of releases: ECDSA on P-256, in PEM as {@code openssl ecparam -genkey} or {@code openssl genpkey} write it. Signatures
 * are deterministic (RFC 6979), so that a release that is built again is the same in every byte. Thread-safe.
 */
final class ReleaseKeyFile implements ReleaseSigner {
    private static final String WANTED = "openssl ecparam -name prime256v1 -genkey -noout -out FILE makes one";
    private static final Set<PosixFilePermission> OTHERS = EnumSet.of(
            PosixFilePermission.GROUP_READ,
            PosixFilePermission.GROUP_WRITE,
            PosixFilePermission.OTHERS_READ,
            PosixFilePermission.OTHERS_WRITE);

    private final ECPrivateKeyParameters key;

    private ReleaseKeyFile(ECPrivateKeyParameters key) {
        this.key = key;
    }

    /** @throws IOException where the file is not such a key, or others than its owner may read it */
    static ReleaseKeyFile read(Path file) throws IOException {
        if (Files.getPosixFilePermissions(file).stream().anyMatch(OTHERS::contains)) {
            throw new IOException(file + " can be read by others than its owner: chmod 600 " + file);
        }
        try (Reader text = Files.newBufferedReader(file, StandardCharsets.ISO_8859_1);
                PEMParser parser = new PEMParser(text)) {
            for (Object each = parser.readObject(); each != null; each = parser.readObject()) {
                PrivateKeyInfo info = each instanceof PEMKeyPair pair ? pair.getPrivateKeyInfo() : null;
                if (each instanceof PrivateKeyInfo plain) {
                    info = plain;
                }
                if (info != null
                        && X9ObjectIdentifiers.prime256v1.equals(
                                info.getPrivateKeyAlgorithm().getParameters())
                        && PrivateKeyFactory.createKey(info) instanceof ECPrivateKeyParameters key) {
                    return new ReleaseKeyFile(key);
                }
            }
        }
        throw new IOException(file + " has no plain private key on P-256 in PEM; " + WANTED);
    }

    @Override
    public byte[] sign(byte[] message) {
        SHA256Digest digest = new SHA256Digest();
        digest.update(message, 0, message.length);
        byte[] hash = new byte[digest.getDigestSize()];
        digest.doFinal(hash, 0);
        ECDSASigner signer = new ECDSASigner(new HMacDSAKCalculator(new SHA256Digest()));
        signer.init(true, key);
        BigInteger[] rs = signer.generateSignature(hash);
        try {
            return StandardDSAEncoding.INSTANCE.encode(key.getParameters().getN(), rs[0], rs[1]);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** The public key in PEM. */
    String publicKey() throws IOException {
        ECDomainParameters curve = key.getParameters();
        byte[] info = SubjectPublicKeyInfoFactory.createSubjectPublicKeyInfo(new ECPublicKeyParameters(
                        new FixedPointCombMultiplier().multiply(curve.getG(), key.getD()), curve))
                .getEncoded();
        return "-----BEGIN PUBLIC KEY-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(info)
                + "\n-----END PUBLIC KEY-----\n";
    }
}
