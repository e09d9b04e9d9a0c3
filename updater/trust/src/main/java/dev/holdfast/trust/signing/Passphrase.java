package dev.holdfast.trust.signing;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;

/** What opens private keys that are encrypted. Asked only where a key is; may ask a person. */
@FunctionalInterface
public interface Passphrase {
    /** Where keys are not encrypted. */
    Passphrase NONE = () -> {
        throw new RejectedException(Code.FLT_KEYS, "the keys are encrypted, and there is no passphrase");
    };

    /** Its characters; {@code FLT-KEYS} where there is none. */
    char[] get() throws IOException, RejectedException;
}
