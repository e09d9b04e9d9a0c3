package dev.holdfast.tee;

import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.wire.Sha256;
import java.util.List;
import java.util.Optional;

/**
 * Makes and removes what a root of trust keeps for Holdfast. Only a person's command does either; nothing here happens by
 * itself. Thread-safe. Where keys and counter are made with the root of trust, there is nothing to prepare.
 */
public interface Provisioner {
    /** Whether the owner of the root of trust has a password, without which nothing is made or removed. */
    default boolean ownerHasPassword() throws TeeException {
        return false;
    }

    /**
     * Makes the keys usable where they are not: once the owner has a password, nobody else derives them.
     *
     * @return what was made, in words
     * @throws TeeException {@code TEE-REFUSED} where the password is wrong
     */
    default List<String> prepareKeys(AuthValue owner) throws TeeException {
        return List.of();
    }

    /**
     * Makes counter and register, each where it is not there as it should be. A counter of an earlier version stays until {@link
     * #anchor}, but does not count any more.
     *
     * @return what was made, in words
     */
    default List<String> prepareCounter(AuthValue owner) throws TeeException {
        return List.of();
    }

    /**
     * What was measured into the register, or into what guards it, before this device's log could begin; empty where nothing was.
     */
    default Optional<Sha256> measuredBefore() throws TeeException {
        return Optional.empty();
    }

    /** A register that nothing else measures into, as far as it can be told now; empty where there is none. */
    default Optional<TpmRegister> unusedRegister() throws TeeException {
        return Optional.empty();
    }

    /**
     * Stores the factory root for good, and removes what an earlier version made for the same purpose.
     * Storing the same value again does nothing; another value is {@code TEE-REFUSED}.
     */
    void anchor(Sha256 factoryRoot, AuthValue owner) throws TeeException;

    /**
     * Removes everything, whoever made it.
     *
     * @return what was removed, in words; empty where there was nothing
     */
    List<String> remove(AuthValue owner) throws TeeException;
}
