package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.DeviceCertificate;
import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.storage.Disk;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the fleet's authority issued to this device. {@code tls.crt} holds the device's certificate and its authority's, so that the two
 * change together. A renewed one waits in {@code tls.next.crt} until a broker has let the device in with it; until then both are tried
 * in turn. {@code authority.crt} and {@code attestation.crt} are copies for people and tools. Thread-safe.
 */
final class CertificateStore {
    private static final Logger LOG = LoggerFactory.getLogger(CertificateStore.class);
    private static final int LINE_CHARS = 64;
    private static final int MAX_BYTES = 64 * 1024;
    private static final Pattern PEM =
            Pattern.compile("-----BEGIN CERTIFICATE-----\\s([A-Za-z0-9+/=\\s]+)-----END CERTIFICATE-----");

    private static final String TLS = "tls.crt";
    private static final String NEXT = "tls.next.crt";
    private static final String ATTESTATION = "attestation.crt";
    private static final String ATTESTATION_NEXT = "attestation.next.crt";
    private static final String AUTHORITY = "authority.crt";

    /** A renewal comes in the last third of a life, and a fleet that enrolled in one hour does not renew in one. */
    private static final int RENEWED_PARTS = 2;

    private static final int LIFE_PARTS = 3;
    private static final int JITTER_PARTS = 30;

    private final Path dir;
    private final Binary signerKey;
    private final boolean tls;
    private final InstantSource clock;
    private Optional<DeviceCertificate> current;
    private Optional<DeviceCertificate> next;
    private boolean offeredNext;

    private CertificateStore(Path dir, Binary signerKey, boolean tls, InstantSource clock) {
        this.dir = dir;
        this.signerKey = signerKey;
        this.tls = tls;
        this.clock = clock;
        this.current = read(TLS);
        this.next = read(NEXT);
    }

    /**
     * @param dir of the files, which is made where it is absent
     * @param signerKey SubjectPublicKeyInfo of the key that the certificates must be for
     * @param tls whether the broker sees them; otherwise a renewed one has nothing to wait for
     */
    static CertificateStore open(Path dir, Binary signerKey, boolean tls, InstantSource clock) throws IOException {
        Disk.LOCAL.createDirectories(dir, Disk.Access.PRIVATE);
        return new CertificateStore(dir, signerKey, tls, clock);
    }

    /** Removes everything: the device has other keys, and nothing that was issued is for them. */
    static void forget(Path dir) throws IOException {
        for (String name : List.of(NEXT, TLS, ATTESTATION_NEXT, ATTESTATION, AUTHORITY)) {
            Disk.LOCAL.deleteIfExists(dir.resolve(name));
        }
    }

    /** The file to offer in the connection that is made now. */
    synchronized Path offered() {
        boolean usable = current.filter(this::isGood).isPresent();
        offeredNext = next.isPresent() && (!usable || !offeredNext);
        return dir.resolve(offeredNext ? NEXT : TLS);
    }

    /** The link is up with what was offered last: a renewed certificate takes the place of the old one. */
    synchronized void connected() throws IOException {
        if (offeredNext && next.isPresent()) {
            promote();
        }
    }

    private void promote() throws IOException {
        Disk.LOCAL.move(dir.resolve(NEXT), dir.resolve(TLS));
        current = next;
        next = Optional.empty();
        offeredNext = false;
        if (Files.exists(dir.resolve(ATTESTATION_NEXT))) {
            Disk.LOCAL.move(dir.resolve(ATTESTATION_NEXT), dir.resolve(ATTESTATION));
        }
        copyAuthority();
        LOG.info(
                "certificate until {}", current.map(DeviceCertificate::notAfter).orElse(Instant.EPOCH));
    }

    private void copyAuthority() throws IOException {
        if (current.isPresent()) {
            Disk.LOCAL.replace(dir.resolve(AUTHORITY), pem(List.of(current.get().authority())), Disk.Access.PRIVATE);
        }
    }

    /** Keeps what was issued and {@linkplain DeviceCertificate#of checked}. */
    synchronized void keep(DeviceEnrolment.Issued issued) throws IOException, RejectedException {
        DeviceCertificate fresh = DeviceCertificate.of(issued.tls(), issued.authority());
        if (current.equals(Optional.of(fresh)) && !next.equals(Optional.of(fresh))) {
            return;
        }
        Disk.LOCAL.replace(
                dir.resolve(ATTESTATION_NEXT),
                pem(List.of(issued.attestation(), issued.authority())),
                Disk.Access.PRIVATE);
        Disk.LOCAL.replace(dir.resolve(NEXT), pem(List.of(issued.tls(), issued.authority())), Disk.Access.PRIVATE);
        next = Optional.of(fresh);
        offeredNext = false;
        if (!tls || current.filter(this::isGood).isEmpty()) {
            promote();
        }
    }

    /** For this device's key, and within its dates. */
    private boolean isGood(DeviceCertificate one) {
        Instant now = clock.instant();
        return one.key().equals(signerKey) && !now.isBefore(one.notBefore()) && now.isBefore(one.notAfter());
    }

    /**
     * Whether the fleet is to be asked for certificates.
     *
     * @param named keys of the authorities that signed metadata names; empty where it names none
     */
    synchronized boolean isDue(Set<Sha256> named) {
        if (next.filter(one -> isGood(one) && isNamed(one, named)).isPresent()) {
            return false;
        }
        return current.filter(one ->
                        isGood(one) && isNamed(one, named) && clock.instant().isBefore(renewal(one)))
                .isEmpty();
    }

    private static boolean isNamed(DeviceCertificate one, Set<Sha256> named) {
        return named.isEmpty() || named.contains(one.authorityKey());
    }

    /** After two thirds of its life, and a part of what is left that only this certificate knows. */
    private static Instant renewal(DeviceCertificate one) {
        Duration life = Duration.between(one.notBefore(), one.notAfter());
        int fraction = 1 + (Sha256.of(one.tls().toArray()).toArray()[0] & 0xff);
        return one.notBefore()
                .plus(life.multipliedBy(RENEWED_PARTS).dividedBy(LIFE_PARTS))
                .plus(life.multipliedBy(fraction).dividedBy(256L * JITTER_PARTS));
    }

    /**
     * Who may issue: the authorities that signed metadata names; else the one that issued first (trust on first use); anybody where there
     * is none yet.
     */
    synchronized Set<Sha256> trusted(Set<Sha256> named) {
        return named.isEmpty()
                ? current.filter(one -> one.key().equals(signerKey))
                        .map(one -> Set.of(one.authorityKey()))
                        .orElse(Set.of())
                : named;
    }

    /** For {@code holdfast status} and the doctor. */
    synchronized ObjectNode status(Set<Sha256> named) {
        ObjectNode status = Json.object();
        if (current.isEmpty()) {
            return status.put("state", "none");
        }
        DeviceCertificate one = current.get();
        String state = !one.key().equals(signerKey)
                ? "another-key"
                : clock.instant().isBefore(one.notBefore())
                        ? "not-yet-valid"
                        : isGood(one) ? isNamed(one, named) ? "valid" : "another-authority" : "expired";
        status.put("state", state)
                .put("until", one.notAfter().toString())
                .put("renewAfter", renewal(one).toString())
                .put("authority", one.authorityKey().hex())
                .put("trusted", named.isEmpty() ? "first-use" : "root");
        next.ifPresent(waiting -> status.put("next", waiting.notAfter().toString()));
        return status;
    }

    private Optional<DeviceCertificate> read(String name) {
        Path file = dir.resolve(name);
        try {
            List<Binary> chain = new ArrayList<>(certificates(file));
            if (chain.size() == 1) {
                // Of an earlier agent, which kept the authority in a file of its own.
                chain.addAll(certificates(dir.resolve(AUTHORITY)));
            }
            return chain.size() < 2 ? Optional.empty() : Optional.of(DeviceCertificate.of(chain.get(0), chain.get(1)));
        } catch (IOException | RejectedException e) {
            LOG.warn("{} does not count: {}", file, e.getMessage());
            return Optional.empty();
        }
    }

    private static List<Binary> certificates(Path file) throws IOException {
        if (!Files.exists(file) || Files.size(file) > MAX_BYTES) {
            return List.of();
        }
        List<Binary> found = new ArrayList<>();
        Matcher blocks = PEM.matcher(Files.readString(file, StandardCharsets.ISO_8859_1));
        while (blocks.find()) {
            try {
                found.add(Binary.copyOf(Base64.getMimeDecoder().decode(blocks.group(1))));
            } catch (IllegalArgumentException e) {
                return List.of();
            }
        }
        return found;
    }

    private static byte[] pem(List<Binary> chain) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (Binary der : chain) {
            String base64 = Base64.getMimeEncoder(LINE_CHARS, new byte[] {'\n'}).encodeToString(der.toArray());
            out.writeBytes(("-----BEGIN CERTIFICATE-----\n" + base64 + "\n-----END CERTIFICATE-----\n")
                    .getBytes(StandardCharsets.US_ASCII));
        }
        return out.toByteArray();
    }
}
