package dev.holdfast.inference;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.ChosenToken;
import dev.holdfast.engine.ChosenToken.Candidate;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * Log-probabilities of the tokens of one choice, on their way into an answer. They are for the operator alone: with enough of them a
 * caller makes a model of its own that answers alike, and reads off the last layer of this one. Belongs to the answer's thread.
 *
 * <p>A token is told with the text that it completes, so those whose text is not told are not, either: the bytes of a character that did
 * not come whole, and the word at which the answer stops.
 */
final class Logprobs {
    private static final int MAX_CHAT = 20;
    private static final int MAX_TEXT = 5;

    private final List<ChosenToken> waiting = new ArrayList<>();
    private final List<ChosenToken> told = new ArrayList<>();
    private final boolean keeps;
    private int offset;

    /**
     * None so far.
     *
     * @param keeps whether the answer is written as a whole at its end, too
     * @param offset of the first token, in characters
     */
    Logprobs(boolean keeps, int offset) {
        this.keeps = keeps;
        this.offset = offset;
    }

    /** What a chat asks for. */
    static OptionalInt ofChat(Fields fields) throws RejectedException {
        boolean asked = fields.flagOr("logprobs", false);
        return alternatives(fields, asked, "logprobs is true");
    }

    /** What a text completion asks for. */
    static OptionalInt ofText(Fields fields) throws RejectedException {
        return fields.has("logprobs")
                ? OptionalInt.of((int) fields.integer("logprobs", 0, MAX_TEXT))
                : OptionalInt.empty();
    }

    /** @param unless what would have to be said besides, for a person */
    static OptionalInt alternatives(Fields fields, boolean asked, String unless) throws RejectedException {
        int most = (int) fields.integerOr("top_logprobs", 0, MAX_CHAT, 0);
        if (!asked && most > 0) {
            throw fields.wrong("top_logprobs", "0 or absent unless " + unless);
        }
        return asked ? OptionalInt.of(most) : OptionalInt.empty();
    }

    /** A token whose text is still to come. */
    void add(ChosenToken token) {
        waiting.add(token);
    }

    /** The tokens of the text that is told now. */
    List<ChosenToken> take() {
        List<ChosenToken> now = List.copyOf(waiting);
        waiting.clear();
        if (keeps) {
            told.addAll(now);
        }
        return now;
    }

    /** Those of the whole choice so far. */
    List<ChosenToken> told() {
        return told;
    }

    /** As a chat has them: {@code {"content":[..],"refusal":null}}. */
    static ObjectNode chat(List<ChosenToken> tokens) {
        ObjectNode node = Json.object();
        node.set("content", list(tokens, true));
        return node.putNull("refusal");
    }

    /**
     * A list, as a chat and a part of a response have it.
     *
     * @param bytes whether the bytes are told, too; events of a response leave them out
     */
    static ArrayNode list(List<ChosenToken> tokens, boolean bytes) {
        ArrayNode list = JsonNodeFactory.instance.arrayNode(tokens.size());
        for (ChosenToken token : tokens) {
            ObjectNode one = candidate(token.chosen(), bytes);
            ArrayNode likeliest = one.putArray("top_logprobs");
            token.likeliest().forEach(each -> likeliest.add(candidate(each, bytes)));
            list.add(one);
        }
        return list;
    }

    private static ObjectNode candidate(Candidate candidate, boolean withBytes) {
        ObjectNode node =
                Json.object().put("token", candidate.token().text()).put("logprob", candidate.logProbability());
        if (withBytes) {
            node.putNull("bytes");
            candidate.token().bytes().ifPresent(bytes -> {
                ArrayNode values = node.putArray("bytes");
                for (byte value : bytes.toArray()) {
                    values.add(Byte.toUnsignedInt(value));
                }
            });
        }
        return node;
    }

    /**
     * As a text completion has them, in parallel arrays. Offsets count characters from the beginning of the prompt, and go on from one call
     * to the next.
     */
    ObjectNode text(List<ChosenToken> tokens) {
        ObjectNode node = Json.object();
        ArrayNode texts = node.putArray("tokens");
        ArrayNode values = node.putArray("token_logprobs");
        ArrayNode likeliest = node.putArray("top_logprobs");
        ArrayNode offsets = node.putArray("text_offset");
        for (ChosenToken token : tokens) {
            texts.add(spelled(token.chosen()));
            values.add(token.chosen().logProbability());
            ObjectNode best = likeliest.addObject();
            token.likeliest().forEach(each -> putFirst(best, each));
            putFirst(best, token.chosen());
            offsets.add(place(token.chosen()));
        }
        return node;
    }

    /** Two tokens may be spelled alike; the first is the more likely one. */
    private static void putFirst(ObjectNode node, Candidate candidate) {
        String text = spelled(candidate);
        if (!node.has(text)) {
            node.put(text, candidate.logProbability());
        }
    }

    /** A token that is not whole characters has a mark here, since there is no list of bytes beside it. */
    private static String spelled(Candidate candidate) {
        String text = candidate.token().text();
        boolean whole = candidate
                .token()
                .bytes()
                .map(bytes -> new String(bytes.toArray(), StandardCharsets.UTF_8).equals(text))
                .orElse(true);
        return whole ? text : "bytes:" + text;
    }

    /** Where a token begins; one that goes on with a character, where that begins. */
    private int place(Candidate candidate) {
        int begins = offset;
        boolean first = true;
        for (byte value :
                candidate.token().bytes().map(bytes -> bytes.toArray()).orElse(new byte[0])) {
            boolean goesOn = (value & 0xc0) == 0x80;
            begins -= first && goesOn ? 1 : 0;
            offset += goesOn ? 0 : 1;
            first = false;
        }
        return begins;
    }
}
