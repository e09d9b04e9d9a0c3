package dev.holdfast.fleet;

import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.link.Answer;
import dev.holdfast.link.Ask;
import dev.holdfast.link.Topics;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
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
            Pattern.compile("([0-9]{1,10}\\.)?(root|targets|snapshot|timestamp)\\.json");

    private final FleetDirectory directory;
    private final DirectorDesk director;
    private final EnrolmentDesk enrolment;
    private final BlobShelf blobs;

    public FleetResponder(FleetRepository repository, RoleSigner directorKeys, Clock clock)
            throws IOException, RejectedException {
        this.directory = repository.directory();
        this.director = new DirectorDesk(repository, directorKeys, clock);
        this.enrolment = new EnrolmentDesk(
                directory,
                enrolmentPolicy(directory),
                DeviceCertificates.open(directory, directory.config().name(), clock),
                clock);
        this.blobs = new BlobShelf(directory);
    }

    private static EnrolmentPolicy enrolmentPolicy(FleetDirectory directory) throws RejectedException {
        Path file = directory.root().resolve("enrolment.json");
        return Files.exists(file) ? EnrolmentPolicy.read(file).orThrow() : EnrolmentPolicy.onFirstUse();
    }

    /** One answer, or one per block. Never throws, never empty. */
    List<Answer> answer(Topics from, Ask ask) {
        List<Answer> answers = new ArrayList<>();
        try {
            for (Answer.Body body : bodies(from, ask.body())) {
                answers.add(new Answer(ask.id(), body));
            }
            return answers;
        } catch (RejectedException e) {
            Rejection why = e.rejection();
            LOG.warn("{} asked by {}", why, from.device());
            return List.of(refused(ask, why.code(), why.detail()));
        } catch (IOException e) {
            // The device learns that it failed, the log learns how.
            LOG.error("{}: {}", Code.FLT_IO.id(), e.toString());
            return List.of(refused(ask, Code.FLT_IO, "the service cannot read its files"));
        }
    }

    /** Devices that were turned away together must not come back together. */
    static Answer busy(Ask ask) {
        int seconds = ThreadLocalRandom.current().nextInt(2, 10);
        return new Answer(ask.id(), new Answer.Refused(Code.API_BUSY.id(), "the service is busy", seconds));
    }

    static Answer refused(Ask ask, Code code, String detail) {
        return new Answer(ask.id(), new Answer.Refused(code.id(), detail));
    }

    private List<? extends Answer.Body> bodies(Topics from, Ask.Body body) throws IOException, RejectedException {
        return switch (body) {
            case Ask.Metadata(String name, long offset) -> List.of(part(metadata(name), offset));
            case Ask.Director(Binary nonce, long offset) -> List.of(part(director.order(from.device(), nonce), offset));
            case Ask.Leaves(Sha256 blob, int first, int count) -> List.of(leaves(blob, first, count));
            case Ask.Blocks(Sha256 blob, int blockBytes, List<Integer> indices) -> blocks(blob, blockBytes, indices);
            case Ask.Enrol(Binary request) ->
                List.of(new Answer.Enrolment(Binary.copyOf(enrolment.begin(from.device(), request))));
            case Ask.Prove(Binary proof) -> {
                byte[] welcome = enrolment.complete(from.device(), proof);
                yield List.of(new Answer.Enrolment(Binary.copyOf(welcome)));
            }
        };
    }

    private Optional<byte[]> metadata(String name) throws IOException, RejectedException {
        if (!METADATA.matcher(name).matches()) {
            throw new RejectedException(Code.LNK_REFUSED, "no name of a metadata file");
        }
        Path file = directory.metadata(name);
        return Files.isRegularFile(file) ? Optional.of(Files.readAllBytes(file)) : Optional.empty();
    }

    private static Answer.Body part(Optional<byte[]> document, long offset) throws RejectedException {
        if (document.isEmpty()) {
            return new Answer.Absent();
        }
        byte[] bytes = document.get();
        if (offset < 0 || offset > bytes.length) {
            throw new RejectedException(Code.LNK_REFUSED, "the document has " + bytes.length + " bytes");
        }
        int length = (int) Math.min(Answer.PART_BYTES, bytes.length - offset);
        return new Answer.Part(bytes.length, offset, Binary.copyOf(bytes, (int) offset, length));
    }

    private Answer.Body leaves(Sha256 blob, int first, int count) throws IOException, RejectedException {
        Optional<Path> file = blobs.find(blob);
        if (file.isEmpty()) {
            return new Answer.Absent();
        }
        List<Sha256> all = blobs.leaves(blob, file.get());
        if (first < 0 || first >= all.size() || count < 1) {
            throw new RejectedException(Code.BLK_UNKNOWN, "the file has " + all.size() + " blocks");
        }
        int end = (int) Math.min((long) first + Math.min(count, Ask.MAX_LEAVES), all.size());
        byte[] hashes = new byte[(end - first) * Sha256.BYTES];
        for (int i = first; i < end; i++) {
            System.arraycopy(all.get(i).toArray(), 0, hashes, (i - first) * Sha256.BYTES, Sha256.BYTES);
        }
        return new Answer.Leaves(first, Binary.copyOf(hashes));
    }

    private List<Answer.Body> blocks(Sha256 blob, int blockBytes, List<Integer> indices)
            throws IOException, RejectedException {
        if (blockBytes < 1
                || blockBytes > Ask.MAX_BLOCK_BYTES
                || indices.isEmpty()
                || indices.size() > Ask.MAX_BLOCKS) {
            throw new RejectedException(Code.LNK_REFUSED, "no such number or length of blocks");
        }
        Optional<Path> file = blobs.find(blob);
        if (file.isEmpty()) {
            return List.of(new Answer.Absent());
        }
        List<Answer.Body> bodies = new ArrayList<>();
        try (FileChannel channel = BlobShelf.open(file.get())) {
            for (int index : indices) {
                Optional<Binary> data = index < 0 ? Optional.empty() : BlobShelf.block(channel, index, blockBytes);
                bodies.add(new Answer.Block(
                        index,
                        data.orElseThrow(
                                () -> new RejectedException(Code.BLK_UNKNOWN, "the file ends before block " + index))));
            }
        }
        return bodies;
    }
}
