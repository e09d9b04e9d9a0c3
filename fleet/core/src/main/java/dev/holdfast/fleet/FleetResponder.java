package dev.holdfast.fleet;

import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.link.Topics;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Subject;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the fleet service answers, whatever carries the messages. A device may ask for anything: names are checked against
 * a pattern, files are found by digest, and what is refused says so with a code. Thread-safe; calls read from the disk.
 */
public final class FleetResponder {
    private static final Logger LOG = LoggerFactory.getLogger(FleetResponder.class);
    private static final Pattern METADATA =
            Pattern.compile("([0-9]{1,10}\\.)?(root|targets|revocations|snapshot|timestamp)\\.json");

    private final QuietLog quiet = new QuietLog(LOG);
    private final FleetDirectory directory;
    private final Director director;
    private final EnrolmentService enrolment;
    private final BlockServer blobs;

    /** {@code CFG-INVALID} where the directory has settings or names that do not hold. */
    public FleetResponder(FleetRepository repository, RoleSigner directorKeys, Clock clock)
            throws IOException, RejectedException {
        this.directory = repository.directory();
        directory.requireNames();
        this.director = new Director(repository, directorKeys, clock);
        this.enrolment = new EnrolmentService(
                directory,
                EnrolmentFile.open(directory),
                DeviceCertificates.open(directory, directory.config().name(), clock),
                clock);
        this.blobs = new BlockServer(directory);
    }

    /** One answer, or one per block. Never throws, never empty. */
    List<Reply> answer(Topics from, Request ask) {
        List<Reply> answers = new ArrayList<>();
        try {
            for (Reply.Body body : bodies(from, ask.body())) {
                answers.add(new Reply(ask.id(), body));
            }
            return answers;
        } catch (RejectedException e) {
            Rejection why = e.rejection();
            if (why.code() == Code.API_BUSY) {
                return List.of(busy(ask));
            }
            if (why.code() == Code.ATT_PENDING) {
                LOG.debug("{} {}", Subject.device(from.device()), why);
            } else {
                quiet.warn("{} asked by {}", why, Subject.device(from.device()));
            }
            return List.of(refused(ask, why.code(), why.detail()));
        } catch (IOException e) {
            // The device learns that it failed, the log learns how.
            quiet.warn("{}", new Rejection(Code.FLT_IO, e.toString()));
            return List.of(refused(ask, Code.FLT_IO, "the service cannot read its files"));
        }
    }

    /** Devices that were turned away together must not come back together. */
    static Reply busy(Request ask) {
        int seconds = ThreadLocalRandom.current().nextInt(2, 10);
        return new Reply(ask.id(), new Reply.Refused(Code.API_BUSY.id(), "the service is busy", seconds));
    }

    static Reply refused(Request ask, Code code, String detail) {
        return new Reply(ask.id(), new Reply.Refused(code.id(), detail));
    }

    private List<? extends Reply.Body> bodies(Topics from, Request.Body body) throws IOException, RejectedException {
        return switch (body) {
            case Request.Metadata(String name, long offset) -> List.of(metadata(name, offset));
            case Request.Director(Binary nonce, long offset) ->
                List.of(part(director.order(from.device(), nonce), offset));
            case Request.Leaves(Sha256 blob, int first, int count) -> List.of(leaves(blob, first, count));
            case Request.Blocks(Sha256 blob, int blockBytes, List<Integer> indices) ->
                blocks(blob, blockBytes, indices);
            case Request.Enrol(Binary request) ->
                List.of(new Reply.Enrolment(Binary.copyOf(enrolment.begin(from.device(), request))));
            case Request.Prove(Binary proof) -> {
                byte[] welcome = enrolment.complete(from.device(), proof);
                yield List.of(new Reply.Enrolment(Binary.copyOf(welcome)));
            }
        };
    }

    private Reply.Body metadata(String name, long offset) throws IOException, RejectedException {
        if (!METADATA.matcher(name).matches()) {
            throw new RejectedException(Code.LNK_REFUSED, "no name of a metadata file");
        }
        // A file is replaced whole, so that length and part are of one and the same.
        try (FileChannel channel = BlockServer.open(directory.metadata(name))) {
            long size = channel.size();
            ByteBuffer part = ByteBuffer.allocate(partBytes(size, offset));
            if (!BlockServer.filled(channel, part, offset)) {
                throw new IOException(name + " became shorter");
            }
            return new Reply.Part(size, offset, Binary.copyOf(part.array()));
        } catch (NoSuchFileException e) {
            return new Reply.Absent();
        }
    }

    private static int partBytes(long size, long offset) throws RejectedException {
        if (offset < 0 || offset > size) {
            throw new RejectedException(Code.LNK_REFUSED, "the document has " + size + " bytes");
        }
        return (int) Math.min(Reply.PART_BYTES, size - offset);
    }

    private static Reply.Body part(Optional<byte[]> document, long offset) throws RejectedException {
        if (document.isEmpty()) {
            return new Reply.Absent();
        }
        byte[] bytes = document.get();
        int length = partBytes(bytes.length, offset);
        return new Reply.Part(bytes.length, offset, Binary.copyOf(bytes, (int) offset, length));
    }

    private Reply.Body leaves(Sha256 blob, int first, int count) throws IOException, RejectedException {
        Optional<Path> file = blobs.find(blob);
        return file.isEmpty()
                ? new Reply.Absent()
                : new Reply.Leaves(first, blobs.leaves(blob, file.get(), first, Math.min(count, Request.MAX_LEAVES)));
    }

    private List<Reply.Body> blocks(Sha256 blob, int blockBytes, List<Integer> indices)
            throws IOException, RejectedException {
        if (blockBytes < 1
                || blockBytes > Request.MAX_BLOCK_BYTES
                || indices.isEmpty()
                || indices.size() > Request.MAX_BLOCKS) {
            throw new RejectedException(Code.LNK_REFUSED, "no such number or length of blocks");
        }
        Optional<Path> file = blobs.find(blob);
        if (file.isEmpty()) {
            return List.of(new Reply.Absent());
        }
        List<Reply.Body> bodies = new ArrayList<>();
        try (FileChannel channel = BlockServer.open(file.get())) {
            for (int index : indices) {
                Optional<Binary> data = index < 0 ? Optional.empty() : BlockServer.block(channel, index, blockBytes);
                bodies.add(new Reply.Block(
                        index,
                        data.orElseThrow(
                                () -> new RejectedException(Code.BLK_UNKNOWN, "the file ends before block " + index))));
            }
        }
        return bodies;
    }
}
