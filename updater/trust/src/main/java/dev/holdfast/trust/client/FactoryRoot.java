package dev.holdfast.trust.client;

import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.KeyFamily;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.SoftwareVerifier;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * A factory root that was checked before it is anchored for good: a root that signs itself, whose roles can be signed for.
 *
 * @param root as parsed
 * @param families what it pins
 */
public record FactoryRoot(RootDocument root, FamilyPolicy families) {
    private static final List<String> ROLES =
            List.of("root", "targets", "snapshot", "timestamp", RootDocument.DIRECTOR);

    /** Of a key id, for a person. */
    private static final int SHOWN_CHARS = 16;

    /**
     * Reads and checks a file. {@code UPD-ANCHOR} where there is no file of a sane length, {@code UPD-FORMAT} where it is not a root
     * that a device can follow, {@code UPD-SIGNATURE} where its own keys have not signed it.
     */
    public static Verdict<FactoryRoot> read(Path file) throws IOException {
        if (!Files.isRegularFile(file) || Files.size(file) > RootDocument.MAX_BYTES) {
            return Verdict.rejected(
                    Code.UPD_ANCHOR, file + " is not a file of 1 to " + RootDocument.MAX_BYTES + " bytes");
        }
        return switch (check(Files.readAllBytes(file))) {
            case Verdict.Rejected<FactoryRoot>(Rejection why) ->
                Verdict.rejected(why.code(), file + " is not a factory root: " + why.detail());
            case Verdict.Accepted<FactoryRoot> root -> root;
        };
    }

    static Verdict<FactoryRoot> check(byte[] bytes) {
        return Verdict.of(() -> {
            RootDocument root = parse(bytes);
            FamilyPolicy families = FamilyPolicy.of(root);
            for (String name : ROLES) {
                requireSignable(name, root.role(name), families);
            }
            root.envelope().requireThreshold(root.role("root"), families, new SoftwareVerifier());
            return new FactoryRoot(root, families);
        });
    }

    /** Bytes that are not even JSON are no root either. */
    private static RootDocument parse(byte[] bytes) throws RejectedException {
        try {
            return RootDocument.parse(bytes);
        } catch (RejectedException e) {
            throw new RejectedException(Code.UPD_FORMAT, e.rejection().detail());
        }
    }

    /** A role that asks for more than its keys can give would be refused for ever. */
    private static void requireSignable(String name, RootDocument.Role role, FamilyPolicy families)
            throws RejectedException {
        long lattice = role.keys().values().stream()
                .filter(key -> key.kind().family() == KeyFamily.LATTICE)
                .count();
        long classical = role.keys().size() - lattice;
        if (role.threshold() > role.keys().size() || families.lattice() > lattice || families.classical() > classical) {
            throw new RejectedException(
                    Code.UPD_FORMAT,
                    "the role " + name + " asks for " + role.threshold() + " signatures, " + families.classical()
                            + " classical and " + families.lattice() + " lattice, and has " + classical + " and "
                            + lattice
                            + " keys");
        }
    }

    public Sha256 hash() {
        return root.hash();
    }

    /** What is about to be anchored, line by line, for a person. */
    public List<String> text(Instant now) throws RejectedException {
        Instant expires = root.envelope().expires();
        List<String> lines = new ArrayList<>(List.of(
                line("digest", hash().toString()),
                line("fleet", root.fleet().orElse("not named in this root")),
                line("version", String.valueOf(root.version())),
                line(
                        "expires",
                        expires + (expires.isAfter(now) ? "" : ", which has passed: the fleet must have a newer root")),
                line(
                        "families",
                        families.classical() + " classical and " + families.lattice() + " lattice keys of each role")));
        for (String name : ROLES) {
            RootDocument.Role role = root.role(name);
            List<String> keys = new ArrayList<>();
            role.keys().forEach((id, key) -> keys.add(key.kind() + " " + shortened(id)));
            keys.sort(Comparator.naturalOrder());
            lines.add(
                    line(name, role.threshold() + " of " + role.keyIds().size() + " keys: " + String.join(", ", keys)));
        }
        return lines;
    }

    private static String line(String name, String value) {
        return "%-10s%s".formatted(name, value);
    }

    private static String shortened(String keyId) {
        return keyId.substring(0, Math.min(SHOWN_CHARS, keyId.length()));
    }
}
