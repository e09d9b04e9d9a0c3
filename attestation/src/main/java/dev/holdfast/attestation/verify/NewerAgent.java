package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.Event;
import dev.holdfast.attestation.EvidenceClaims;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What an agent says that is newer than this verifier. Its version is the enrolled device's word, under its signature, and measured into
 * the quoted log by {@code agent-start}; nobody else signs it, so what is not known never leaves more than a warning. One thread.
 */
final class NewerAgent {
    private static final String VERIFIER = AttestationResult.BUILD.substring(AttestationResult.BUILD.indexOf('-') + 1);
    private static final Pattern VERSION = Pattern.compile("([0-9]{1,9})\\.([0-9]{1,9})\\.([0-9]{1,9})");
    private static final int MAX_UNKNOWN_EVENTS = 16;

    private final String version;
    private final boolean allowed;
    private final SequencedSet<String> unknown = new LinkedHashSet<>();
    private Optional<String> started = Optional.empty();

    NewerAgent(AppraisalPolicy policy, EvidenceClaims claims) {
        this.version = claims.agentVersion();
        this.allowed = policy.allowNewer() && isNewer(version, VERIFIER);
    }

    /** Whether one version comes after another; what is no version of three numbers does not. */
    static boolean isNewer(String version, String than) {
        Matcher one = VERSION.matcher(version);
        Matcher other = VERSION.matcher(than);
        if (!one.matches() || !other.matches()) {
            return false;
        }
        for (int part = 1; part <= 3; part++) {
            int order = Integer.compare(Integer.parseInt(one.group(part)), Integer.parseInt(other.group(part)));
            if (order != 0) {
                return order > 0;
            }
        }
        return false;
    }

    /** Why these claims cannot be read; empty where they can, or may be left unread. */
    Optional<Rejection> refusal(EvidenceClaims claims) {
        return claims.unknown().isEmpty() || allowed
                ? Optional.empty()
                : Optional.of(new Rejection(
                        Code.ATT_FORMAT,
                        "claims that this profile does not have: " + String.join(", ", claims.unknownNames())));
    }

    /** An event as far as it is known; nothing where its type is not. */
    Verdict<Optional<Event>> read(Binary content) {
        Verdict<Event> known = KnownEvents.parse(content);
        if (known instanceof Verdict.Accepted<Event>(Event event)) {
            started(event);
            return Verdict.accepted(Optional.of(event));
        }
        Verdict<Event.Newer> newer = allowed
                ? Event.parseNewer(content)
                : known.then(event -> Verdict.accepted(new Event.Newer(Optional.of(event), List.of())));
        return newer.then(read -> {
            read.event().ifPresent(this::started);
            unknown.addAll(read.unknown());
            return unknown.size() > MAX_UNKNOWN_EVENTS
                    ? Verdict.rejected(
                            Code.ATT_EVENT, "more than " + MAX_UNKNOWN_EVENTS + " types and fields that are not known")
                    : Verdict.accepted(read.event());
        });
    }

    private void started(Event event) {
        if (event instanceof Event.AgentStart(String name, String began)) {
            started = Optional.of(began);
        }
    }

    /** Says what was left unread, each by its name. */
    void judge(EvidenceClaims claims, CheckList checks) {
        if (claims.unknown().isEmpty() && unknown.isEmpty()) {
            return;
        }
        checks.require(
                "newer-agent",
                started.equals(Optional.of(version)),
                Code.ATT_EVENT,
                () -> "the quoted log says that agent " + version + " runs, this verifier is " + VERIFIER,
                () -> "expected a quoted log that says that agent " + version + " runs, "
                        + started.map(began -> "it says " + began).orElse("it names none"));
        claims.unknownNames()
                .forEach(name -> checks.weaken(
                        "newer-claim",
                        Code.ATT_FORMAT,
                        "claim " + name + " of agent " + version + " is not known here"));
        unknown.forEach(name -> checks.weaken(
                "newer-event", Code.ATT_EVENT, "event " + name + " of agent " + version + " is not known here"));
    }
}
