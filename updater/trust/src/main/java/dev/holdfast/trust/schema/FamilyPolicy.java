package dev.holdfast.trust.schema;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import java.util.Collection;

/**
 * How many keys of each family every role needs, beside the role's own threshold. A threshold alone is in signed metadata: whoever
 * breaks one family and meets one root's threshold with it could sign a root that asks for less. This one is in the factory
 * root, whose hash the TEE holds, and no later root changes it.
 *
 * @param classical keys of {@link KeyFamily#CLASSICAL}
 * @param lattice keys of {@link KeyFamily#LATTICE}
 */
public record FamilyPolicy(int classical, int lattice) {
    /** Thresholds alone decide. */
    public static final FamilyPolicy NONE = new FamilyPolicy(0, 0);

    public static final String FIELD = "x-holdfast-families";
    private static final String CLASSICAL = "classical";
    private static final String LATTICE = "lattice";
    private static final int MAX_KEYS = 64;

    public FamilyPolicy {
        if (classical < 0 || classical > MAX_KEYS || lattice < 0 || lattice > MAX_KEYS) {
            throw new IllegalArgumentException("0 to " + MAX_KEYS + " keys of each family");
        }
    }

    /** Writes the policy into a factory root before that is signed. */
    public ObjectNode into(ObjectNode root) {
        root.putObject(FIELD).put(CLASSICAL, classical).put(LATTICE, lattice);
        return root;
    }

    /** What a factory root asks for. One that names anything else than both families is refused: it means more than is known here. */
    public static FamilyPolicy of(RootDocument factory) throws RejectedException {
        Fields signed = factory.envelope().signed();
        if (!signed.has(FIELD)) {
            return NONE;
        }
        Fields policy = signed.object(FIELD);
        long classical = policy.integer(CLASSICAL, 0);
        long lattice = policy.integer(LATTICE, 0);
        if (policy.node().size() != 2 || classical > MAX_KEYS || lattice > MAX_KEYS) {
            throw new RejectedException(Code.UPD_FORMAT, FIELD + " is not understood");
        }
        return new FamilyPolicy((int) classical, (int) lattice);
    }

    /** {@code UPD-SIGNATURE} where distinct valid keys of these kinds are too few of a family. */
    void require(String role, Collection<KeyKind> kinds) throws RejectedException {
        for (KeyFamily family : KeyFamily.values()) {
            long found = kinds.stream().filter(kind -> kind.family() == family).count();
            int needed = switch (family) {
                case CLASSICAL -> classical;
                case LATTICE -> lattice;
            };
            if (found < needed) {
                throw new RejectedException(
                        Code.UPD_SIGNATURE,
                        role + " has " + found + " valid signatures of the family " + family + ", " + needed
                                + " are needed");
            }
        }
    }
}
