package dev.holdfast.link;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;

/**
 * What a device asks its fleet service.
 *
 * @param id {@value #ID_BYTES} fresh random bytes that every answer repeats
 * @param body the question
 */
public record Request(Binary id, Body body) {
    public static final int ID_BYTES = 16;
    /** Enrolment requests with an endorsement certificate are the longest. */
    public static final int MAX_BYTES = 32 * 1024;
    /** Blocks of one question: the window that every broker we know keeps in flight. */
    public static final int MAX_BLOCKS = 16;
    /** Leaves of one question, 32 bytes each. */
    public static final int MAX_LEAVES = 1024;
    /** The longest block: 96 KiB stay below the 128 KB of the narrowest cloud broker. */
    public static final int MAX_BLOCK_BYTES = 96 * 1024;

    /** The kinds of question. */
    public sealed interface Body {}

    /** A metadata file such as {@code timestamp.json}, from {@code offset} on. */
    public record Metadata(String name, long offset) implements Body {}

    /** The signed order for this device, from {@code offset} on; it must repeat {@code nonce}. */
    public record Director(Binary nonce, long offset) implements Body {}

    /** Leaf hashes of a file's block tree. */
    public record Leaves(Sha256 blob, int first, int count) implements Body {}

    /** Blocks of a file, each answered by a message of its own. */
    public record Blocks(Sha256 blob, int blockBytes, List<Integer> indices) implements Body {
        public Blocks {
            indices = List.copyOf(indices);
        }
    }

    /** The first message of an enrolment. */
    public record Enrol(Binary request) implements Body {}

    /** The last message of an enrolment. */
    public record Prove(Binary proof) implements Body {}

    public byte[] encode() {
        Cbor.DictBuilder dict = Cbor.dict().put("id", Cbor.of(id));
        switch (body) {
            case Metadata(String name, long offset) ->
                dict.put("kind", Cbor.of("metadata")).put("name", Cbor.of(name)).put("offset", Cbor.of(offset));
            case Director(Binary nonce, long offset) ->
                dict.put("kind", Cbor.of("director"))
                        .put("nonce", Cbor.of(nonce))
                        .put("offset", Cbor.of(offset));
            case Leaves(Sha256 blob, int first, int count) ->
                dict.put("kind", Cbor.of("leaves"))
                        .put("blob", Cbor.of(blob.value()))
                        .put("first", Cbor.of(first))
                        .put("count", Cbor.of(count));
            case Blocks(Sha256 blob, int blockBytes, List<Integer> indices) ->
                dict.put("kind", Cbor.of("blocks"))
                        .put("blob", Cbor.of(blob.value()))
                        .put("bytes", Cbor.of(blockBytes))
                        .put(
                                "indices",
                                new Cbor.Array(indices.stream()
                                        .map(i -> Cbor.of((long) i))
                                        .toList()));
            case Enrol(Binary request) -> dict.put("kind", Cbor.of("enrol")).put("request", Cbor.of(request));
            case Prove(Binary proof) -> dict.put("kind", Cbor.of("prove")).put("proof", Cbor.of(proof));
        }
        return CborWriter.write(dict.build());
    }

    /** Reads a question from an untrusted device. Never throws; memory stays within a small multiple of the input. */
    public static Verdict<Request> decode(byte[] payload) {
        return Verdict.of(() -> {
            Cbor.Fields fields =
                    Cbor.Fields.of(CborReader.read(payload, MAX_BYTES).orThrow());
            Binary id = fields.bytes("id", ID_BYTES, ID_BYTES);
            return new Request(id, body(fields));
        });
    }

    private static Body body(Cbor.Fields fields) throws RejectedException {
        String kind = fields.text("kind", 16);
        return switch (kind) {
            case "metadata" -> new Metadata(fields.text("name", 128), fields.integer("offset", 0, Integer.MAX_VALUE));
            case "director" ->
                new Director(fields.bytes("nonce", 8, 64), fields.integer("offset", 0, Integer.MAX_VALUE));
            case "leaves" ->
                new Leaves(fields.sha256("blob"), (int) fields.integer("first", 0, Integer.MAX_VALUE), (int)
                        fields.integer("count", 1, MAX_LEAVES));
            case "blocks" ->
                new Blocks(
                        fields.sha256("blob"),
                        (int) fields.integer("bytes", 1, MAX_BLOCK_BYTES),
                        indices(fields.array("indices", MAX_BLOCKS)));
            case "enrol" -> new Enrol(fields.bytes("request", 1, MAX_BYTES));
            case "prove" -> new Prove(fields.bytes("proof", 1, MAX_BYTES));
            default -> throw new RejectedException(Code.WIRE_FIELD, "kind is unknown");
        };
    }

    private static List<Integer> indices(List<Cbor> items) throws RejectedException {
        List<Integer> indices = new ArrayList<>();
        for (Cbor item : items) {
            if (!(item instanceof Cbor.Int(long value)) || value < 0 || value > Integer.MAX_VALUE) {
                throw new RejectedException(Code.WIRE_FIELD, "indices must be block numbers");
            }
            indices.add((int) value);
        }
        return indices;
    }
}
