package dev.holdfast.wire;

/** An exception whose cause has a code of its own, whatever module it comes from. */
public interface CodedFailure {
    Rejection rejection();
}
