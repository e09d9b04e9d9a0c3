package dev.holdfast.updater;

/** How far an install has come. Each is entered by one durable journal line. */
public enum InstallState {
    /** An order was accepted. */
    ANNOUNCED,
    /** Delta or full download was chosen within the byte budget, and the disk is reserved. */
    PLANNED,
    /** Blocks are pulled. */
    DOWNLOADING,
    /** The patch file is whole and is the one that was signed. Full downloads skip this. */
    PATCH_VERIFIED,
    /** The result is made from base and patch. Full downloads skip this. */
    RECONSTRUCTING,
    /** The model file is whole and is the one that was signed. */
    VERIFIED,
    /** The model file lies under its digest among the blobs. */
    STAGED,
    /** The inference process holds it beside the serving model, and its health gate passed. */
    CANDIDATE,
    /** Register and event log name it. */
    MEASURED,
    /** It serves; the model before it is kept at hand. */
    PROBATION,
    /** It stays. */
    COMMITTED,
    /** It goes: the reason is on record, the model before it is being brought back. */
    ROLLING_BACK,
    /** The model before it serves again. */
    ROLLED_BACK,
    /** It never served. */
    FAILED,
    /** It served until an order named its model no more. */
    RETIRED;

    /** Whether nothing follows. */
    public boolean isFinal() {
        return this == COMMITTED || this == ROLLED_BACK || this == FAILED || this == RETIRED;
    }
}
