package dev.holdfast.link;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.util.Collection;
import java.util.Optional;

/**
 * What the fleet service answers.
 *
 * @param id the id of the question
 * @param body the answer, or one of several to the same question
 */
public record Reply(Binary id, Body body) {
    /** A block and its envelope. */
    public static final int MAX_BYTES = 128 * 1024;
    /** Bytes of a document that one answer carries. */
    public static final int PART_BYTES = 64 * 1024;

    /** The kinds of answer. */
    public sealed interface Body {}

    /** Bytes of a document of {@code total} bytes, beginning at {@code offset}. */
    public record Part(long total, long offset, Binary data) implements Body {}

    /** There is no such document. */
    public record Absent() implements Body {}

    /** The leaf hashes that were asked for, 32 bytes each. */
    public record Leaves(int first, Binary hashes) implements Body {}

    /** One block. */
    public record Block(int index, Binary data) implements Body {}

    /** The next message of an enrolment; empty where it is complete. */
    public record Enrolment(Binary message) implements Body {}

    /** The service will not answer; after {@code retryAfterSeconds} it may, where that is not 0. */
    public record Refused(String code, String detail, int retryAfterSeconds) implements Body {
        public Refused(String code, String detail) {
            this(code, detail, 0);
        }

        /**
         * What the refusal means here: its own code where that is one of {@code told}, else that the service refused. Whoever answered
         * chose the words, which end in a log.
         */
        public Rejection rejection(Collection<Code> told) {
            Optional<Code> known =
                    told.stream().filter(one -> one.id().equals(code)).findFirst();
            return new Rejection(known.orElse(Code.LNK_REFUSED), known.isPresent() ? detail : code + " " + detail);
        }
    }

    public byte[] encode() {
        Cbor.DictBuilder dict = Cbor.dict().put("id", Cbor.of(id));
        switch (body) {
            case Part(long total, long offset, Binary data) ->
                dict.put("kind", Cbor.of("part"))
                        .put("total", Cbor.of(total))
                        .put("offset", Cbor.of(offset))
                        .put("data", Cbor.of(data));
            case Absent() -> dict.put("kind", Cbor.of("absent"));
            case Leaves(int first, Binary hashes) ->
                dict.put("kind", Cbor.of("leaves")).put("first", Cbor.of(first)).put("hashes", Cbor.of(hashes));
            case Block(int index, Binary data) ->
                dict.put("kind", Cbor.of("block")).put("index", Cbor.of(index)).put("data", Cbor.of(data));
            case Enrolment(Binary message) ->
                dict.put("kind", Cbor.of("enrolment")).put("message", Cbor.of(message));
            case Refused(String code, String detail, int retryAfterSeconds) ->
                dict.put("kind", Cbor.of("refused"))
                        .put("code", Cbor.of(code))
                        .put("detail", Cbor.of(detail))
                        .put("retryAfter", Cbor.of(retryAfterSeconds));
        }
        return CborWriter.write(dict.build());
    }

    /** Reads an answer from an untrusted broker, and owns {@code payload} from then on: a block is part of it. Never throws. */
    public static Verdict<Reply> decode(byte[] payload) {
        return Verdict.of(() -> {
            Cbor.Fields fields =
                    Cbor.Fields.of(CborReader.readOwned(payload, MAX_BYTES).orThrow());
            Binary id = fields.bytes("id", Request.ID_BYTES, Request.ID_BYTES);
            return new Reply(id, body(fields));
        });
    }

    private static Body body(Cbor.Fields fields) throws RejectedException {
        String kind = fields.text("kind", 16);
        return switch (kind) {
            case "part" ->
                new Part(
                        fields.integer("total", 0, Integer.MAX_VALUE),
                        fields.integer("offset", 0, Integer.MAX_VALUE),
                        fields.bytes("data", 0, PART_BYTES));
            case "absent" -> new Absent();
            case "leaves" ->
                new Leaves(
                        (int) fields.integer("first", 0, Integer.MAX_VALUE),
                        fields.bytes("hashes", 0, 32 * Request.MAX_LEAVES));
            case "block" ->
                new Block(
                        (int) fields.integer("index", 0, Integer.MAX_VALUE),
                        fields.bytes("data", 1, Request.MAX_BLOCK_BYTES));
            case "enrolment" -> new Enrolment(fields.bytes("message", 0, Request.MAX_BYTES));
            case "refused" ->
                new Refused(
                        fields.text("code", 64),
                        fields.text("detail", 512),
                        fields.has("retryAfter") ? (int) fields.integer("retryAfter", 0, Integer.MAX_VALUE) : 0);
            default -> throw new RejectedException(Code.WIRE_FIELD, "kind is unknown");
        };
    }
}
