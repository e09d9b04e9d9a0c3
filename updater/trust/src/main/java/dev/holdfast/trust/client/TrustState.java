package dev.holdfast.trust.client;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;

/**
 * What this device has seen: the floor for every later refresh. Versions are 0 where nothing was seen.
 *
 * @param sequence number of the record
 * @param generation what the TEE's counter said when versions changed last; 0 where it has none
 * @param rootVersion version of the last root of the chain
 * @param rootHash its hash
 * @param trustedTime lower bound of the time, in seconds since 1970, raised by authenticated statements only
 */
record TrustState(
        long sequence,
        long generation,
        long rootVersion,
        Sha256 rootHash,
        long timestampVersion,
        long snapshotVersion,
        long targetsVersion,
        long directorVersion,
        long trustedTime) {

    static TrustState first(long rootVersion, Sha256 rootHash) {
        return new TrustState(0, 0, rootVersion, rootHash, 0, 0, 0, 0, 0);
    }

    TrustState root(long version, Sha256 hash) {
        return new TrustState(
                sequence,
                generation,
                version,
                hash,
                timestampVersion,
                snapshotVersion,
                targetsVersion,
                directorVersion,
                trustedTime);
    }

    /** Versions of the timestamp, the snapshot that it names, and the targets that this one names. */
    TrustState image(long timestamp, long snapshot, long targets) {
        return new TrustState(
                sequence,
                generation,
                rootVersion,
                rootHash,
                timestamp,
                snapshot,
                targets,
                directorVersion,
                trustedTime);
    }

    TrustState director(long version, long time) {
        return new TrustState(
                sequence,
                generation,
                rootVersion,
                rootHash,
                timestampVersion,
                snapshotVersion,
                targetsVersion,
                version,
                Math.max(trustedTime, time));
    }

    TrustState numbered(long number, long counted) {
        return new TrustState(
                number,
                counted,
                rootVersion,
                rootHash,
                timestampVersion,
                snapshotVersion,
                targetsVersion,
                directorVersion,
                trustedTime);
    }

    /** Whether {@code other} knows of other versions than this one; a timestamp alone, or the time, does not count. */
    boolean differsFrom(TrustState other) {
        return rootVersion != other.rootVersion
                || snapshotVersion != other.snapshotVersion
                || targetsVersion != other.targetsVersion
                || directorVersion != other.directorVersion;
    }

    ObjectNode toJson() {
        return Json.object()
                .put("format", 1)
                .put("sequence", sequence)
                .put("generation", generation)
                .put("rootVersion", rootVersion)
                .put("rootHash", rootHash.hex())
                .put("timestampVersion", timestampVersion)
                .put("snapshotVersion", snapshotVersion)
                .put("targetsVersion", targetsVersion)
                .put("directorVersion", directorVersion)
                .put("trustedTime", trustedTime);
    }

    static TrustState fromJson(Fields fields) throws RejectedException {
        return new TrustState(
                fields.integer("sequence", 0),
                fields.integer("generation", 0),
                fields.integer("rootVersion", 1),
                fields.sha256("rootHash"),
                fields.integer("timestampVersion", 0),
                fields.integer("snapshotVersion", 0),
                fields.integer("targetsVersion", 0),
                fields.integer("directorVersion", 0),
                fields.integer("trustedTime", 0));
    }
}
