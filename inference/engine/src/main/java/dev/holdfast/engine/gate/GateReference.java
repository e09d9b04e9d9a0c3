package dev.holdfast.engine.gate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * What a model should expect to come next, by the publisher's own computation: the {@code reference} object of a gate. The gate
 * compares distributions and never the tokens that are chosen, because other kernels round differently and a near tie then
 * falls the other way.
 *
 * <p>Of each distribution the likeliest tokens are listed; all others count as one. The divergence of these is at most that of
 * the whole distributions, so a sound model is never refused for what is not listed.
 *
 * @param passages token sequences with what is expected in them
 * @param maxMeanDivergence nats that the mean Kullback-Leibler divergence from the reference may have
 */
public record GateReference(List<Passage> passages, double maxMeanDivergence) {
    /** Token sequences; each is read from its beginning. */
    static final int MAX_PASSAGES = 16;

    static final int MAX_PASSAGE_TOKENS = 256;
    /** Distributions of a reference. */
    static final int MAX_DISTRIBUTIONS = 256;

    private static final int MAX_LISTED = 16;
    private static final double MICRO = 1e-6;
    private static final long MAX_MICRO_NATS = 1_000_000_000;
    private static final double MAX_DIVERGENCE = 100;
    /** What rounding to millionths can add to a sum of {@link #MAX_LISTED} probabilities. */
    private static final double ROUNDING = MAX_LISTED * MICRO;

    /** A sequence of token ids, begin token included, and what should follow at some of its places. */
    public record Passage(List<Integer> tokens, List<Distribution> expected) {
        public Passage {
            tokens = List.copyOf(tokens);
            expected = List.copyOf(expected);
        }
    }

    /**
     * What should follow {@code tokens[0 .. position]}.
     *
     * @param tokens the likeliest tokens
     * @param microNats the negative natural logarithm of each one's probability, in millionths
     */
    public record Distribution(int position, List<Integer> tokens, List<Integer> microNats) {
        public Distribution {
            tokens = List.copyOf(tokens);
            microNats = List.copyOf(microNats);
        }

        double logProbability(int index) {
            return -MICRO * microNats.get(index);
        }
    }

    public GateReference {
        passages = List.copyOf(passages);
    }

    /** How many distributions are compared. */
    int distributions() {
        return passages.stream().mapToInt(passage -> passage.expected.size()).sum();
    }

    /** Reads the signed object; {@code WIRE-FIELD} where it is not a set of distributions. */
    public static Verdict<GateReference> read(JsonNode node) {
        return Verdict.of(() -> {
            Fields fields = Fields.of(node);
            fields.only(Set.of("passages", "maxMeanDivergence"));
            List<Passage> passages = new ArrayList<>();
            for (JsonNode passage : array(node, "passages", 1, MAX_PASSAGES)) {
                passages.add(passage(passage));
            }
            GateReference reference =
                    new GateReference(passages, fields.numberOr("maxMeanDivergence", 0, MAX_DIVERGENCE, -1));
            if (reference.maxMeanDivergence < 0 || reference.distributions() > MAX_DISTRIBUTIONS) {
                throw wrong("a limit and at most " + MAX_DISTRIBUTIONS + " distributions");
            }
            return reference;
        });
    }

    private static Passage passage(JsonNode node) throws RejectedException {
        Fields.of(node).only(Set.of("tokens", "expected"));
        List<Integer> tokens = numbers(node, "tokens", MAX_PASSAGE_TOKENS, Integer.MAX_VALUE);
        List<Distribution> expected = new ArrayList<>();
        for (JsonNode one : array(node, "expected", 1, tokens.size())) {
            Fields fields = Fields.of(one);
            fields.only(Set.of("position", "tokens", "microNats"));
            Distribution distribution = new Distribution(
                    (int) fields.integer("position", 0, tokens.size() - 1L),
                    numbers(one, "tokens", MAX_LISTED, Integer.MAX_VALUE),
                    numbers(one, "microNats", MAX_LISTED, MAX_MICRO_NATS));
            double sum = 0;
            for (int i = 0; i < distribution.microNats.size(); i++) {
                sum += Math.exp(distribution.logProbability(i));
            }
            if (distribution.tokens.size() != distribution.microNats.size()
                    || Set.copyOf(distribution.tokens).size() != distribution.tokens.size()
                    || sum > 1 + ROUNDING) {
                throw wrong("different tokens with one probability each, together at most 1");
            }
            expected.add(distribution);
        }
        return new Passage(tokens, expected);
    }

    private static JsonNode array(JsonNode node, String name, int least, int most) throws RejectedException {
        JsonNode array = node.path(name);
        if (!array.isArray() || array.size() < least || array.size() > most) {
            throw wrong("for " + name + " an array of " + least + " to " + most);
        }
        return array;
    }

    private static List<Integer> numbers(JsonNode node, String name, int most, long largest) throws RejectedException {
        List<Integer> numbers = new ArrayList<>();
        for (JsonNode number : array(node, name, 1, most)) {
            if (!number.isInt() || number.intValue() < 0 || number.intValue() > largest) {
                throw wrong("for " + name + " whole numbers from 0 to " + largest);
            }
            numbers.add(number.intValue());
        }
        return numbers;
    }

    private static RejectedException wrong(String expected) {
        return new RejectedException(Code.WIRE_FIELD, "gate.reference must have " + expected);
    }

    /** As it is signed. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("maxMeanDivergence", maxMeanDivergence);
        ArrayNode listed = json.putArray("passages");
        for (Passage passage : passages) {
            ObjectNode one = listed.addObject();
            put(one, "tokens", passage.tokens);
            ArrayNode expected = one.putArray("expected");
            for (Distribution distribution : passage.expected) {
                ObjectNode item = expected.addObject().put("position", distribution.position);
                put(item, "tokens", distribution.tokens);
                put(item, "microNats", distribution.microNats);
            }
        }
        return json;
    }

    private static void put(ObjectNode node, String name, List<Integer> numbers) {
        ArrayNode array = node.putArray(name);
        numbers.forEach(array::add);
    }
}
