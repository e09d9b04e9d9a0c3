package dev.holdfast.wire;

import java.util.Arrays;
import java.util.Optional;

/**
 * Every code with which Holdfast refuses something: the one list behind log lines, metrics, reports, the command line
 * ({@code holdfast explain}) and the documentation. A code, once released, keeps its meaning.
 */
public enum Code {
    // Decoding
    WIRE_CBOR("WIRE-CBOR", "The bytes are not deterministic CBOR", "Encode by RFC 8949 section 4.2"),
    WIRE_JSON("WIRE-JSON", "The bytes are not strict JSON within the limits", "Check the sender's encoding"),
    WIRE_FIELD("WIRE-FIELD", "A field is absent, of the wrong type or out of range", "Check the sender's version"),
    WIRE_TOO_LARGE("WIRE-TOO-LARGE", "The message is longer than its kind allows", "Send smaller messages"),

    // Link
    LNK_TOPIC("LNK-TOPIC", "A message came on a topic that this device does not serve", "Check the broker's ACL"),
    LNK_UNASKED("LNK-UNASKED", "A reply came to a request that was not made, or twice", "None: it was dropped"),
    LNK_TIMEOUT("LNK-TIMEOUT", "The fleet service did not answer in time", "Check broker and fleet service"),
    LNK_REFUSED("LNK-REFUSED", "The fleet service refused the request", "Read the detail; check enrolment"),
    LNK_DOWN("LNK-DOWN", "The broker is not connected", "Check the network; the agent keeps trying"),
    LNK_SILENT(
            "LNK-SILENT",
            "The broker takes the connection and then does not answer, or does not acknowledge",
            "Check the broker's load and log; the agent keeps trying"),
    LNK_PROTOCOL(
            "LNK-PROTOCOL",
            "What answers at the broker's address does not keep to MQTT 5 or to the limits",
            "Check that the address is that of a broker which speaks MQTT 5"),
    LNK_DENIED(
            "LNK-DENIED",
            "The broker refuses the client, a subscription or a message",
            "Check the broker's access list and the device's certificate"),
    LNK_TLS("LNK-TLS", "The TLS handshake with the broker fails", "Check clock, broker-authorities and certificate"),
    LNK_UNTRUSTED(
            "LNK-UNTRUSTED",
            "The broker's certificate is signed by no authority that counts here",
            "Put the authority's certificate (PEM) into broker-authorities; for a roll-over the old one and the new one"),
    LNK_HOST(
            "LNK-HOST",
            "The broker's certificate is for another host name",
            "Use a name in broker that the certificate lists, or issue the broker one that lists this name"),
    LNK_EXPIRED(
            "LNK-EXPIRED",
            "A certificate of the connection to the broker is not valid at this time",
            "Renew the certificate that the detail names; check the clock. A renewed file counts from the next attempt on"),
    LNK_LOGIN(
            "LNK-LOGIN",
            "The broker does not take the user name or its password",
            "Check broker-user and the first line of broker-password-file. A corrected file counts from the next attempt on"),
    LNK_LIMIT(
            "LNK-LIMIT",
            "The broker's limits, as its CONNACK names them, do not allow a message or a subscription",
            "Raise the limit that the detail names in the broker's configuration"),
    LNK_FILE(
            "LNK-FILE",
            "A password, key, certificate or authorities file of the link cannot be used",
            "Read the detail. Secrets: owned by the service's user or group, chmod 640 or less"),
    LNK_TAKEN_OVER(
            "LNK-TAKEN-OVER",
            "Another client took over this one's session at the broker",
            "See fleet devices for a cloned device; check the broker's access list"),

    // Operator's side
    FLT_EXISTS("FLT-EXISTS", "It is there already and would be overwritten", "Choose another directory or version"),
    FLT_ABSENT("FLT-ABSENT", "The fleet directory has no such thing", "Check the name; see fleet devices"),
    FLT_HELD(
            "FLT-HELD",
            "The device's orders are held since the fleet was restored from a backup",
            "fleet resume DEVICE shows what may hold; then --keep or --restored"),
    FLT_KEYS("FLT-KEYS", "Private keys that have to sign are not at hand", "Name their folder with --keys DIR"),
    FLT_IO("FLT-IO", "The operator's disk or broker failed", "Read the detail"),
    FLT_CLONE(
            "FLT-CLONE",
            "Two processes report under one device's name",
            "Look for a copied disk: give the copy a name and keys of its own and enrol it"),
    FLT_PROOF("FLT-PROOF", "Evidence proves another release than the device says", "fleet attest DEVICE shows it"),

    // Configuration
    CFG_INVALID("CFG-INVALID", "The configuration file is not usable", "holdfast config check names all that is wrong"),

    // Trust (TUF section 5, Director)
    UPD_ANCHOR(
            "UPD-ANCHOR",
            "The factory root is not the one that the TEE holds",
            "Where the TEE holds none: holdfast provision, or holdfast provision --again after it was cleared; where it holds "
                    + "another: restore that root's file, or holdfast deprovision to change the fleet"),
    UPD_SIGNATURE("UPD-SIGNATURE", "Too few valid signatures for the role", "Check who signed; rotate lost keys"),
    UPD_EXPIRED("UPD-EXPIRED", "The metadata has expired", "Sign fresh metadata; check the clock"),
    UPD_ROLLBACK(
            "UPD-ROLLBACK",
            "The metadata is older than what this device has seen",
            "Publish a newer version; director 1 after N: fleet desire with --after N; restored fleet: fleet init --resume-after"),
    UPD_MISMATCH(
            "UPD-MISMATCH",
            "Hash, length or version is not the one that the signed parent names",
            "Publish all roles together"),
    UPD_FORMAT("UPD-FORMAT", "The metadata is not well formed", "Check the publisher's version"),
    UPD_NO_ORDER("UPD-NO-ORDER", "The fleet has no order for this device", "Order a model: fleet desire"),
    UPD_TARGET_UNKNOWN("UPD-TARGET-UNKNOWN", "The Image repository does not list this target", "Publish it first"),
    UPD_DIRECTOR_DEVICE("UPD-DIRECTOR-DEVICE", "The Director's order is for another device", "Check whose order it is"),
    UPD_DIRECTOR_NONCE("UPD-DIRECTOR-NONCE", "The order answers another nonce", "None: a replay was refused"),
    UPD_DIRECTOR_DISAGREES(
            "UPD-DIRECTOR-DISAGREES",
            "Director and Image repository differ about the target",
            "Order only what is published"),
    UPD_WITHDRAWN("UPD-WITHDRAWN", "The publisher withdrew the release, for good", "Order another release"),
    UPD_EPOCH(
            "UPD-EPOCH",
            "The model's security epoch is below the floor of that model on this device",
            "Publish with the current epoch"),
    UPD_INCOMPATIBLE("UPD-INCOMPATIBLE", "The model asks for more than this device or agent has", "Upgrade the agent"),

    // Provenance (OpenSSF Model Signing)
    OMS_FORMAT(
            "OMS-FORMAT",
            "The model's signature file is not a supported OpenSSF Model Signing v1.0 file",
            "Sign with a key, whole files, SHA-256"),
    OMS_KEY(
            "OMS-KEY",
            "The model's signature is by another key than the pinned one, or the key is unusable",
            "Publish with the signer's key"),
    OMS_SIGNATURE("OMS-SIGNATURE", "The model's signature does not verify", "Treat the model as forged"),
    OMS_SUBJECT("OMS-SUBJECT", "The model's signature is about another file", "Sign the file that is published"),

    // Container images
    IMG_FORMAT("IMG-FORMAT", "This is not a layout of one OCI image within the limits", "Fetch the image again"),
    IMG_DIGEST("IMG-DIGEST", "A blob of the image is absent or has other bytes", "Fetch the image again"),
    IMG_KEY("IMG-KEY", "The key file is not an ECDSA P-256 public key in PEM", "Name the public key of the release"),
    IMG_UNSIGNED("IMG-UNSIGNED", "Nothing signs the image", "Get a signed one: HOLDFAST_RELEASE_KEY at its build"),
    IMG_SIGNATURE("IMG-SIGNATURE", "No signature of the image is by this key", "Check the key; else it is forged"),
    IMG_PROVENANCE("IMG-PROVENANCE", "The image's provenance does not hold", "Treat the image as forged"),

    // Offline bundle
    BDL_FORMAT("BDL-FORMAT", "The file is not an offline bundle", "Write it again with fleet bundle"),
    BDL_TRUNCATED("BDL-TRUNCATED", "The bundle ends too early or cannot be read to its end", "Copy it again"),
    BDL_TOO_LARGE("BDL-TOO-LARGE", "The bundle has more entries, or a longer one, than allowed", "Bundle fewer models"),
    BDL_DUPLICATE("BDL-DUPLICATE", "The bundle has two entries of one name", "Write it again with fleet bundle"),
    BDL_NAME("BDL-NAME", "The bundle has an entry that belongs in no bundle", "Write it again with fleet bundle"),
    BDL_ABSENT("BDL-ABSENT", "The bundle lacks a file that the install needs", "Bundle the whole model"),

    // Download and reconstruction
    BLK_HASH("BLK-HASH", "A block's bytes are not the ones that the signed tree names", "None: it is asked for again"),
    BLK_UNKNOWN("BLK-UNKNOWN", "A block was sent that the target does not have", "None: it was dropped"),
    DLT_FORMAT("DLT-FORMAT", "The patch is not well formed", "Publish the delta again"),
    DLT_BASE("DLT-BASE", "The patch is made for another base model", "Publish a delta from the model in service"),
    DLT_PAYLOAD("DLT-PAYLOAD", "A patch block's payload is damaged", "Publish the delta again"),
    DLT_OUTPUT("DLT-OUTPUT", "A reconstructed block is not the one that the patch promises", "Publish the delta again"),
    INS_DIGEST("INS-DIGEST", "The finished file is not the one that was signed", "None: it was discarded"),
    INS_MEMORY(
            "INS-MEMORY",
            "The models would not fit into this device's memory budget",
            "Order fewer or smaller models, or raise memory-budget and restart the agent; it goes on by itself"),
    INS_DISK(
            "INS-DISK",
            "Not enough disk space for the model",
            "Free space or collect old models; the device goes on by itself within minutes"),
    INS_STORAGE(
            "INS-STORAGE",
            "The device's own disk refuses to be read or written, and it is not for want of space",
            "Read the detail; check mount, rights and health of the disk; the device tries again"),
    INS_METERED(
            "INS-METERED",
            "The bytes that the device may pull in a day are used up",
            "None: it goes on the next day (UTC); or raise daily-bytes and restart the agent"),
    INS_BUDGET(
            "INS-BUDGET",
            "The download would exceed the byte budget",
            "Publish a delta, order with a larger budget, or raise the device's byte-budget"),
    INS_DEADLINE("INS-DEADLINE", "An install state lasted longer than its deadline", "The device tries again"),
    INS_CANCELLED("INS-CANCELLED", "The install was cancelled", "Order it again"),
    INS_WAITING("INS-WAITING", "The rollout's start or maintenance window has not come", "None: it goes on by itself"),
    INS_SUPERSEDED("INS-SUPERSEDED", "A newer order takes the place of this one", "None"),
    INS_INTERNAL(
            "INS-INTERNAL",
            "The agent failed inside while it worked on a model",
            "Read the agent's log and report it; it is tried again"),
    INS_GRACE(
            "INS-GRACE",
            "An older release that an order lets stay for a while is not served here",
            "Read the detail; a device keeps what it ran before and fetches nothing for a grace"),
    INS_PAUSED("INS-PAUSED", "Updates are paused on this device", "holdfast resume"),
    INS_JOURNAL("INS-JOURNAL", "The install journal is damaged", "None: the last whole record counts"),
    INS_CANDIDATE_LOST(
            "INS-CANDIDATE-LOST",
            "The inference process went away while it held the candidate",
            "Check its memory limit and its log; the device tries again, three times where the model may be to blame"),
    INS_PROBATION("INS-PROBATION", "The new model failed on probation and was rolled back", "Read the history"),
    INS_FAILED_BEFORE("INS-FAILED-BEFORE", "This very order failed here before", "Order again with a new number"),
    INS_ROLLBACK_ASKED("INS-ROLLBACK-ASKED", "The operator asked for the model before this one", "None"),
    INS_NO_FALLBACK("INS-NO-FALLBACK", "There is no earlier model to go back to", "Order a model"),

    // Model files
    GGUF_FORMAT("GGUF-FORMAT", "The file is not a GGUF file that this engine accepts", "Convert the model again"),
    GGUF_LIMIT("GGUF-LIMIT", "A count or length in the GGUF is beyond its limit", "Convert the model again"),
    GGUF_TENSOR("GGUF-TENSOR", "A tensor is missing, misplaced or of an unexpected shape", "Convert the model again"),
    GGUF_UNSUPPORTED(
            "GGUF-UNSUPPORTED",
            "The model needs something that this engine does not compute; the detail names it",
            "Convert the model again without what the detail names, or publish a model of a supported architecture"),

    // Health gate
    GATE_DIGEST("GATE-DIGEST", "The bytes that were mapped are not the signed model", "None: it was discarded"),
    GATE_WEIGHTS("GATE-WEIGHTS", "The weights hold NaN, infinity or all-zero tensors", "Publish a sound model"),
    GATE_CANARY("GATE-CANARY", "Too few canary prompts were answered as the reference says", "Publish a sound model"),
    GATE_REFERENCE(
            "GATE-REFERENCE",
            "The model's predictions are too far from the publisher's reference values",
            "Publish a sound model"),
    GATE_LOAD_TIME("GATE-LOAD-TIME", "The model took longer to load than its metadata allows", "Check the device"),
    GATE_LOAD("GATE-LOAD", "The model could not be loaded", "Read the detail"),

    // Local API
    API_REQUEST("API-REQUEST", "The request is not well formed", "See docs/protocol/application-api.md"),
    API_UNSUPPORTED(
            "API-UNSUPPORTED",
            "The request asks for something that is not offered",
            "Leave the named field out; see docs/protocol/application-api.md"),
    API_UNKNOWN_FIELD(
            "API-UNKNOWN-FIELD",
            "The request has a field that nobody knows, and strictness was asked for",
            "Leave the named field out, or ask without Holdfast-Strict and strict-api"),
    API_TOO_LARGE("API-TOO-LARGE", "The request is longer than allowed", "Send a shorter prompt"),
    API_NOT_FOUND("API-NOT-FOUND", "There is no such path or model", "See /v1/models"),
    API_FORBIDDEN("API-FORBIDDEN", "The caller's user may not do this", "Ask the administrator"),
    API_TOKEN(
            "API-TOKEN",
            "The request does not carry the token of this bridge",
            "Send the text of its token file as the client's API key"),
    API_BROWSER(
            "API-BROWSER",
            "The request comes from a web page, or names another host than this machine",
            "Ask from a program, at http://127.0.0.1:PORT/v1"),
    API_UNREACHABLE(
            "API-UNREACHABLE",
            "The bridge gets no answer of the inference process",
            "See holdfast-inference.service, and send the request again"),
    API_BUSY("API-BUSY", "All sequences are in use", "Try again shortly"),
    API_NO_MODEL(
            "API-NO-MODEL",
            "The model is not in service yet",
            "Ask again after Retry-After; where there is none, wait for the first rollout"),
    API_DEADLINE(
            "API-DEADLINE",
            "The answer took longer than a request may",
            "Ask for fewer tokens or a faster pace, or raise max-request-seconds"),
    API_CONTEXT("API-CONTEXT", "Prompt and answer do not fit the model's context", "Send a shorter prompt"),
    API_INTERNAL("API-INTERNAL", "The request failed inside the engine", "Read the log"),

    // TEE
    TEE_UNAVAILABLE("TEE-UNAVAILABLE", "The root of trust does not answer", "See holdfast doctor"),
    TEE_RESPONSE("TEE-RESPONSE", "The TPM's response is not well formed", "Check the TPM"),
    TEE_REFUSED(
            "TEE-REFUSED",
            "The root of trust refused the command",
            "Read the detail: it says what to do, or holds the TPM's response code"),
    TEE_LOCKOUT("TEE-LOCKOUT", "The TPM is in dictionary-attack lockout", "Wait or clear the lockout"),
    TEE_PIN(
            "TEE-PIN",
            "The token does not take the PIN, or its file is not the owner's alone",
            "Correct the PIN file; its mode must be 0600"),
    TEE_ROLLBACK(
            "TEE-ROLLBACK",
            "The state on the disk is older than what the TEE has counted",
            "Treat the device as suspect; if its disk was put back on purpose, holdfast provision --accept-state"),
    TEE_STATE(
            "TEE-STATE",
            "The state that the TEE authenticates does not verify, or the TEE lacks what provisioning made",
            "Treat the device as suspect; if its TPM was cleared or changed on purpose, holdfast provision --again"),

    // Attestation
    ATT_FORMAT("ATT-FORMAT", "The evidence is not well formed", "Check the device's version"),
    ATT_SIGNATURE("ATT-SIGNATURE", "A signature over the evidence does not verify", "Treat the device as suspect"),
    ATT_NOT_ENROLLED(
            "ATT-NOT-ENROLLED",
            "The device's keys are not enrolled",
            "Its agent enrols with its next look at the fleet; holdfast status tells why it does not"),
    ATT_NONCE("ATT-NONCE", "The evidence does not answer the verifier's nonce", "Ask again"),
    ATT_QUOTE("ATT-QUOTE", "The quote does not cover these claims", "Treat the device as suspect"),
    ATT_LOG("ATT-LOG", "The event log does not lead to the quoted register", "Treat the device as suspect"),
    ATT_EVENT("ATT-EVENT", "The log holds an event that this verifier does not know", "Update the verifier"),
    ATT_WITHDRAWN("ATT-WITHDRAWN", "The publisher withdrew the measured model", "Order another release of it"),
    ATT_REFERENCE(
            "ATT-REFERENCE",
            "The measured model is not among the signed reference values",
            "Publish the model or treat the device as suspect"),
    ATT_ASSURANCE("ATT-ASSURANCE", "The evidence is weaker than the policy asks for", "Use a TEE, or --min-assurance"),
    ATT_CLOCK(
            "ATT-CLOCK",
            "The TPM's clock or reset count went backwards",
            "Treat the device as suspect; if its TPM was put back or replaced on purpose, fleet devices forget DEVICE, then start its"
                    + " agent again. For evidence from an archive say with --issued when it was asked for"),
    ATT_FLOOR(
            "ATT-FLOOR",
            "A model's floor of the security epoch is lower than one that was seen of this device",
            "Its state was put back, or its counters were made anew: treat the device as suspect. If that was done on purpose,"
                    + " fleet devices forget DEVICE, then start its agent again"),
    ATT_PLATFORM(
            "ATT-PLATFORM",
            "A register of the platform, or the log that leads to it, is not what the policy asks for",
            "Check firmware, boot loader and measured files"),
    ATT_SERVING("ATT-SERVING", "Nobody confirmed that the measured model answers", "Check the inference process"),
    ATT_FRESHNESS("ATT-FRESHNESS", "The evidence is older than the policy allows", "Ask again"),
    ATT_ARCHIVE("ATT-ARCHIVE", "The archive is damaged, or another verifier's", "Compare its key with fleet verifier"),
    ATT_ENROL("ATT-ENROL", "The enrolment does not hold", "Read the detail; other keys: fleet devices replace"),
    ATT_PENDING(
            "ATT-PENDING",
            "The device waits until whoever runs the fleet lets it in",
            "fleet devices pending lists its key; where that is yours, fleet devices accept DEVICE"),
    ATT_CERTIFICATE(
            "ATT-CERTIFICATE",
            "A certificate came for this device that is not to be believed, and the one that it has stays",
            "The agent asks again by itself. Where it comes again: check the device's clock; check by the broker's ACL that the fleet"
                    + " service alone writes to the answer topic; where the fleet has a new authority, name it with fleet root draft, sign"
                    + " and publish"),
    ATT_TIMEOUT("ATT-TIMEOUT", "The device did not answer the challenge in time", "Check whether it is online");

    private final String id;
    private final String meaning;
    private final String remedy;

    Code(String id, String meaning, String remedy) {
        this.id = id;
        this.meaning = meaning;
        this.remedy = remedy;
    }

    /** The stable text of the code, such as {@code UPD-ROLLBACK}. */
    public String id() {
        return id;
    }

    /** One sentence: what is wrong. */
    public String meaning() {
        return meaning;
    }

    /** One sentence: what to do about it. */
    public String remedy() {
        return remedy;
    }

    /** The code with this text, if there is one. */
    public static Optional<Code> byId(String id) {
        return Arrays.stream(values()).filter(code -> code.id.equals(id)).findFirst();
    }
}
