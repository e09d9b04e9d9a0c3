package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.link.DocumentParts;
import dev.holdfast.link.LinkException;
import dev.holdfast.link.LinkStatus;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.link.Topics;
import dev.holdfast.trust.client.BlockSink;
import dev.holdfast.trust.client.BlockSource;
import dev.holdfast.trust.client.MetadataSource;
import dev.holdfast.trust.client.SourceException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Questions to the fleet service over MQTT. Answers are matched by the question's random id; what was not asked is
 * dropped. Thread-safe; each call blocks its caller for at most the answer deadline per message.
 */
final class FleetClient implements MetadataSource, BlockSource, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(FleetClient.class);
    private static final Duration ANSWER = Duration.ofSeconds(10);
    /** How long a better answer is waited for after a refusal. */
    private static final long REFUSED_SECONDS = 2;

    private static final int MAX_ANSWERS = 16;
    /** Answers' time in which a whole document has to come. */
    private static final int DOCUMENT_ANSWERS = 12;

    private final Topics topics;
    private final Duration answerDeadline;
    private final Questions questions;
    private final BlockFetch blocks;
    private volatile @Nullable MqttLink link;

    FleetClient(Topics topics) {
        this(topics, ANSWER);
    }

    /** @param answerDeadline how long each answer is waited for */
    FleetClient(Topics topics, Duration answerDeadline) {
        this.topics = topics;
        this.answerDeadline = answerDeadline;
        Runnable useful = () -> Optional.ofNullable(link).ifPresent(MqttLink::useful);
        this.questions = new Questions(question -> publish(topics.ask(), question, false), this::connection);
        this.blocks = new BlockFetch(questions::ask, this::maxPacketBytes, useful, answerDeadline);
    }

    Topics topics() {
        return topics;
    }

    /** Names the link to ask by, which is closed with this client; answers may come from then on. */
    void use(MqttLink opened) {
        link = opened;
    }

    boolean connected() {
        MqttLink current = link;
        return current != null && current.connected();
    }

    /** How the link to the broker is; empty before there is one. */
    Optional<LinkStatus> linkStatus() {
        return Optional.ofNullable(link).map(MqttLink::status);
    }

    /** @throws SourceException where the broker is away, refused the message or did not acknowledge it in time */
    void publish(String topic, byte[] payload, boolean retained) throws SourceException {
        MqttLink current = link;
        if (current == null) {
            throw new SourceException(Code.LNK_DOWN, "there is no link yet");
        }
        try {
            current.publish(topic, payload, retained);
        } catch (LinkException e) {
            throw new SourceException(e.rejection(), e);
        }
    }

    /** Tells the fleet how the device is, where the broker is reached. */
    void report(ObjectNode status) {
        try {
            if (connected()) {
                publish(topics.status(), Json.write(status), true);
            }
        } catch (IOException e) {
            LOG.debug("report: {}", e.getMessage());
        }
    }

    /** As {@link Questions#received}. */
    Optional<Rejection> received(byte[] payload) {
        return questions.received(payload);
    }

    /** Which connection to the broker it is, counted since the start; -1 where there is none. */
    private long connection() {
        LinkStatus now = linkStatus().orElse(null);
        return now != null && now.connected() ? now.connections() : -1;
    }

    /** How long the service wants to be left alone; zero where it does not. */
    Duration quiet() {
        return questions.quiet();
    }

    @Override
    public Optional<byte[]> fetch(String fileName, int maxBytes) throws IOException {
        return document(offset -> new Request.Metadata(fileName, offset), maxBytes);
    }

    @Override
    public Optional<byte[]> directorOrder(byte[] nonce) throws IOException {
        return document(offset -> new Request.Director(Binary.copyOf(nonce), offset), Reply.MAX_BYTES * 8);
    }

    private Optional<byte[]> document(LongFunction<Request.Body> ask, int maxBytes) throws IOException {
        long end = System.nanoTime()
                + answerDeadline.multipliedBy(DOCUMENT_ANSWERS).toNanos();
        DocumentParts document = new DocumentParts(maxBytes);
        while (!document.isWhole()) {
            long left = Math.min(answerDeadline.toNanos(), end - System.nanoTime());
            switch (single(ask.apply(document.length()), Math.max(0, left))) {
                case Reply.Absent() -> {
                    return Optional.empty();
                }
                case Reply.Part part when document.take(part) -> {}
                case Reply.Part unfit ->
                    throw new SourceException(Code.WIRE_TOO_LARGE, "the document's parts do not fit");
                default -> throw unexpected();
            }
        }
        return Optional.of(document.bytes());
    }

    @Override
    public List<Sha256> leaves(Sha256 blob, int first, int count) throws IOException {
        if (single(new Request.Leaves(blob, first, count), answerDeadline.toNanos())
                        instanceof Reply.Leaves(int from, Binary hashes)
                && from == first
                && hashes.length() == count * Sha256.BYTES) {
            byte[] bytes = hashes.toArray();
            List<Sha256> leaves = new ArrayList<>(count);
            for (int i = 0; i < count; i++) {
                leaves.add(new Sha256(Binary.copyOf(bytes, i * Sha256.BYTES, Sha256.BYTES)));
            }
            return leaves;
        }
        throw unexpected();
    }

    @Override
    public void fetch(Sha256 blob, Cut cut, List<Integer> wanted, BlockSink sink) throws IOException {
        blocks.fetch(blob, cut, wanted, sink);
    }

    /** What the broker takes at most. */
    private long maxPacketBytes() {
        MqttLink current = link;
        return current == null ? Long.MAX_VALUE : current.maxPacketBytes();
    }

    /** Where evidence goes. */
    EvidenceResponder.Publisher evidence() {
        return new EvidenceResponder.Publisher() {
            @Override
            public void publish(byte[] message) throws IOException {
                FleetClient.this.publish(topics.evidence(), message, false);
            }

            @Override
            public long maxPacketBytes() {
                return FleetClient.this.maxPacketBytes();
            }
        };
    }

    /** Reads an answer; a rejection where it cannot be the service's. */
    @FunctionalInterface
    interface Reader<T> {
        T read(Reply.Body answer) throws RejectedException;
    }

    /**
     * Asks a question that has one answer, where others may answer, too: takes the first that holds, of a bounded number within the
     * answer deadline.
     *
     * @throws RejectedException why the last answer did not hold
     */
    <T> T first(Request.Body body, Reader<T> reader) throws IOException, RejectedException {
        try (Questions.Question question = questions.ask(body)) {
            long end = System.nanoTime() + answerDeadline.toNanos();
            RejectedException last = null;
            IOException refused = null;
            for (int answers = 0; answers < MAX_ANSWERS; answers++) {
                long left = end - System.nanoTime();
                if (refused != null) {
                    // The service itself may have refused, so its word is not waited for much longer.
                    left = Math.min(left, TimeUnit.SECONDS.toNanos(REFUSED_SECONDS));
                }
                try {
                    return reader.read(question.next(Math.max(0, left)));
                } catch (RejectedException e) {
                    last = e;
                } catch (Questions.NoAnswerException e) {
                    break;
                } catch (IOException e) {
                    refused = e;
                }
            }
            if (last != null) {
                throw last;
            }
            throw refused != null ? refused : new Questions.NoAnswerException();
        }
    }

    /** Asks a question that has one answer. */
    private Reply.Body single(Request.Body body, long nanos) throws IOException {
        try (Questions.Question question = questions.ask(body)) {
            return question.next(nanos);
        }
    }

    private static SourceException unexpected() {
        return new SourceException(Code.WIRE_FIELD, "the answer is of another kind");
    }

    @Override
    public void close() {
        MqttLink current = link;
        if (current != null) {
            current.close();
        }
    }
}
