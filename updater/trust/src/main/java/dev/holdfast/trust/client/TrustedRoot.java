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

    /** What would be the next root, TUF 1.0.34 section 5.3.4 and 5.3.5. */
    RootDocument verify(byte[] bytes) throws RejectedException;

    /** Takes a verified root as the next one, 5.3.6 to 5.3.8. Durable when it returns; as it was when it throws. */
    void append(RootDocument next) throws IOException, RejectedException;
}
