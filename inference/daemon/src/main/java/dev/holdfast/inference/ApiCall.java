package dev.holdfast.inference;

import java.util.Optional;

/** What a caller asks of the models, read and checked. */
interface ApiCall {
    /** Fields that nobody knows. */
    IgnoredFields ignored();

    /** The field that asks for what the operator alone may have. */
    default Optional<String> reserved() {
        return Optional.empty();
    }
}
