package dev.holdfast.wire;

import java.util.function.Function;

/**
 * The answer of every reader of untrusted input: the accepted value, or a rejection with a stable code.
 *
 * @param <T> what is read or decided
 */
public sealed interface Verdict<T> {

    /** The input held up; {@code value} is checked and safe to use. */
    record Accepted<T>(T value) implements Verdict<T> {}

    /** The input was refused. {@code reason} says why, and is the same in log, metric, report and command line. */
    record Rejected<T>(Rejection reason) implements Verdict<T> {
        /** The same rejection where another value was asked for. */
        public <U> Rejected<U> as() {
            return new Rejected<>(reason);
        }
    }

    /** A computation inside a parser, which may leave by a {@link RejectedException}. */
    @FunctionalInterface
    interface Attempt<T> {
        T run() throws RejectedException;
    }

    static <T> Verdict<T> accepted(T value) {
        return new Accepted<>(value);
    }

    static <T> Verdict<T> rejected(Code code, String detail) {
        return new Rejected<>(new Rejection(code, detail));
    }

    /** Runs {@code attempt} and turns its {@link RejectedException} into a value. */
    static <T> Verdict<T> of(Attempt<T> attempt) {
        try {
            return new Accepted<>(attempt.run());
        } catch (RejectedException e) {
            return new Rejected<>(e.rejection());
        }
    }

    default boolean isAccepted() {
        return this instanceof Accepted<T>;
    }

    /** The value, or the rejection as a checked exception; for use inside another parser. */
    default T orThrow() throws RejectedException {
        return switch (this) {
            case Accepted<T>(T value) -> value;
            case Rejected<T>(Rejection reason) -> throw new RejectedException(reason);
        };
    }

    default <U> Verdict<U> then(Function<? super T, Verdict<U>> next) {
        return switch (this) {
            case Accepted<T>(T value) -> next.apply(value);
            case Rejected<T> rejected -> rejected.as();
        };
    }
}
