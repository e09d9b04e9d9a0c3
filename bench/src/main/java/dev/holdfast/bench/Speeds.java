package dev.holdfast.bench;

import java.util.List;
import java.util.function.ToDoubleFunction;

/** Tokens a second; 0 where a kind was not measured. */
record Speeds(double prefill, double decode) {
    /** The middle of each kind by itself. */
    static Speeds median(List<Speeds> all) {
        return new Speeds(middle(all, Speeds::prefill), middle(all, Speeds::decode));
    }

    private static double middle(List<Speeds> all, ToDoubleFunction<Speeds> kind) {
        return all.stream().mapToDouble(kind).sorted().toArray()[all.size() / 2];
    }
}
