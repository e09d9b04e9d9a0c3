package dev.holdfast.trust.client;

import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;

/** The root that is trusted now. */
interface TrustedRoot {
    RootDocument root();

    /** What each role needs beside its threshold. */
    FamilyPolicy families();

    /** Takes the next root, TUF 1.0.34 section 5.3.4 to 5.3.8. Durable when it returns. */
    void append(byte[] bytes) throws IOException, RejectedException;
}
