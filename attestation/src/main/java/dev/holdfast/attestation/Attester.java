package dev.holdfast.attestation;

import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.VmReporter;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers nonces with evidence: a COSE_Sign1 by the device signer over EAT claims, with a quote whose qualifying data
 * covers those claims. Before each answer the log is made to name the models that serve. One at a time; thread-safe. On
 * hardware an answer takes seconds.
 */
public final class Attester {
    public static final int MIN_NONCE_BYTES = 8;
    public static final int MAX_NONCE_BYTES = 64;
    /** What the event log takes at most ({@code EventQuota}), and all else that evidence carries at most, fit. */
    public static final int MAX_EVIDENCE_BYTES = 2 * 1024 * 1024;
    /** How often a swap may come between claims and quote before the attester gives up. */
    private static final int MAX_TRIES = 4;

    private static final Logger LOG = LoggerFactory.getLogger(Attester.class);

    /**
     * What the attester says besides what it measures.
     *
     * @param agentName name of the program
     * @param agentVersion its version
     * @param sandboxFacts what the caller knows of its confinement, asked at each evidence; at most 16 short entries
     * @param serving which models answer requests
     * @param epochFloors the device's floors of the security epoch by the model's name, asked at each evidence
     * @param platform the machine's own logs, where the TEE is the machine's own
     * @param machine who reports on the confidential virtual machine around the agent, where there is one
     */
    public record Surroundings(
            String agentName,
            String agentVersion,
            Supplier<Map<String, String>> sandboxFacts,
            ServingModels serving,
            Supplier<SortedMap<String, Long>> epochFloors,
            PlatformLogs platform,
            Optional<VmReporter> machine) {
        /** On a machine of its own. */
        public Surroundings(
                String agentName,
                String agentVersion,
                Supplier<Map<String, String>> sandboxFacts,
                ServingModels serving,
                Supplier<SortedMap<String, Long>> epochFloors,
                PlatformLogs platform) {
            this(agentName, agentVersion, sandboxFacts, serving, epochFloors, platform, Optional.empty());
        }
    }

    private final QuietLog machineLog = new QuietLog(LOG, 1);
    private final QuietLog servingLog = new QuietLog(LOG, 1);
    private final TeeBridge bridge;
    private final EventLog log;
    private final Surroundings around;
    private final DeviceSigner signer;
    private final Quoter quoter;
    private final MeasurementRegister register;

    /** @throws TeeException where the bridge has no signer, quoter or register */
    public Attester(TeeBridge bridge, EventLog log, Surroundings around) throws TeeException {
        this.bridge = bridge;
        this.log = log;
        this.around = around;
        this.signer = bridge.signer().orElseThrow(Attester::unable);
        this.quoter = bridge.quoter().orElseThrow(Attester::unable);
        this.register = bridge.register().orElseThrow(Attester::unable);
    }

    /**
     * Evidence for {@code nonce}: a tagged COSE_Sign1.
     *
     * @throws IllegalArgumentException when the nonce has less than {@value #MIN_NONCE_BYTES} or more than {@value
     *     #MAX_NONCE_BYTES} bytes
     */
    public synchronized byte[] attest(Binary nonce) throws IOException, TeeException {
        if (nonce.length() < MIN_NONCE_BYTES || nonce.length() > MAX_NONCE_BYTES) {
            throw new IllegalArgumentException(
                    "a nonce has " + MIN_NONCE_BYTES + " to " + MAX_NONCE_BYTES + " bytes, not " + nonce.length());
        }
        Sha256 thumbprint = P256.thumbprint(signer.publicKey());
        for (int attempt = 1; ; attempt++) {
            EventLog.Snapshot before = confirmed();
            PlatformLogs.Carried platform = around.platform().read();
            Map<String, String> fates = new TreeMap<>(platform.fate());
            around.machine().ifPresent(machine -> fates.put(VmEvidence.FATE, machine.provider()));
            EvidenceClaims claims = claims(nonce, thumbprint, before, fates);
            Optional<VmEvidence> machine = machine(claims);
            if (around.machine().isPresent() && machine.isEmpty()) {
                fates.put(VmEvidence.FATE, "failed");
                claims = claims(nonce, thumbprint, before, fates);
            }
            Quoter.Quote quote =
                    quoter.quote(claims.qualifyingData(), around.platform().registers());
            boolean still =
                    before.replayed().value().equals(quote.registers().getOrDefault(register.index(), Binary.empty()));
            // When an event came between claims and quote, the claims name the wrong models: ask again. A log that is
            // broken never fits; then the verifier gets to see it as it is.
            if (still || claims.logBroken().isPresent() || attempt == MAX_TRIES) {
                // Quote first, then read the log: a log that is longer than the quoted prefix is fine, a shorter one
                // not.
                PlatformLogs.Carried after = around.platform().read();
                TpmEvidence tpm = TpmEvidence.of(quote, log.contents(), after.boot(), after.ima());
                return sign(claims, tpm.encode(machine), thumbprint);
            }
        }
    }

    private Optional<VmEvidence> machine(EvidenceClaims claims) {
        if (around.machine().isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(VmEvidence.of(around.machine().get().report(VmEvidence.reportData(claims))));
        } catch (TeeException e) {
            machineLog.warn("no report on this machine: {}", e.rejection());
            return Optional.empty();
        }
    }

    /** The key that signs quotes, for those who export them. */
    public java.security.interfaces.ECPublicKey attestationKey() throws TeeException {
        return quoter.attestationKey();
    }

    private EventLog.Snapshot confirmed() throws IOException, TeeException {
        long changes = log.changes();
        List<ModelEvent> actual;
        try {
            actual = around.serving().now();
            if (actual.stream().map(ModelEvent::place).distinct().count() < actual.size()) {
                throw new IOException("the process that serves names a model twice");
            }
        } catch (IOException e) {
            servingLog.warn("{}", new Rejection(Code.ATT_SERVING, e.toString()));
            return log.unconfirmed();
        }
        return log.confirmed(changes, actual);
    }

    /** The floors of the models that the log names; of others nobody asks. */
    private SortedMap<String, Long> floors(EventLog.Snapshot state) {
        SortedMap<String, Long> floors = new TreeMap<>(around.epochFloors().get());
        floors.keySet()
                .retainAll(state.models().stream()
                        .map(each -> each.event().model())
                        .toList());
        return floors;
    }

    private EvidenceClaims claims(
            Binary nonce, Sha256 thumbprint, EventLog.Snapshot state, Map<String, String> platform)
            throws TeeException {
        long resets = register.resetCount();
        Optional<String> broken = resets == state.resetCount()
                ? state.broken()
                : Optional.of("the TEE was reset under the running agent");
        return new EvidenceClaims(
                nonce,
                thumbprint,
                resets,
                around.agentName(),
                around.agentVersion(),
                bridge.describe().assurance(),
                register.index(),
                register.resettable(),
                state.models(),
                floors(state),
                broken,
                platform,
                around.sandboxFacts().get());
    }

    private byte[] sign(EvidenceClaims claims, Cbor submodules, Sha256 thumbprint) throws TeeException {
        Binary payload = Binary.copyOf(CborWriter.write(
                claims.entries().put(EvidenceClaims.SUBMODS, submodules).build()));
        Binary header = Cose.protectedHeader(thumbprint);
        return Cose.encode(header, payload, signer.sign(Cose.toBeSigned(header, payload)));
    }

    private static TeeException unable() {
        return new TeeException(Code.TEE_REFUSED, "this root of trust cannot sign, quote or measure");
    }
}
