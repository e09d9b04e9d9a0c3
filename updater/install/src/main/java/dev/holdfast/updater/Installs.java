package dev.holdfast.updater;

import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.Order;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.Optional;
import java.util.SortedSet;
import java.util.function.BooleanSupplier;

/**
 * What carries the orders of each model out. Operations on one model exclude each other, those on different models do not; all may be
 * called from any thread. An {@link IOException} means that the device's own disk or event log fails.
 */
public interface Installs {
    /** The models that serve here, are being installed, or are named by the event log. */
    SortedSet<String> inUse();

    /**
     * Makes journal and inference process agree with the pointer about one model, and has what the pointer does not name
     * unloaded. May wait for the inference process.
     *
     * @return what could not be done yet, such as reaching the inference process or the TEE; to be called again then
     */
    Optional<Rejection> settle(String name) throws IOException;

    /** Finishes an install that was measured or on probation when the process ended; needs no network. */
    Optional<InstallOutcome> finishPending(String name) throws IOException;

    /**
     * Has the order's default answer where that model serves already, and the older releases stay that it names and that are here;
     * installs and retires nothing.
     *
     * @return {@code UPD-INCOMPATIBLE} where the order asks for what this agent does not know: it must not be carried out; or why
     *     the inference process does not know of the new default yet, which it is told again by each call
     */
    Optional<Rejection> arrange(Order order) throws IOException;

    /** The models {@linkplain #inUse in use} that an order names no more: each is to be retired. */
    SortedSet<String> dropped(Order order);

    /**
     * Takes a model out of service for good: pointer, unloading, event log. An install of it under way ends first.
     *
     * @param orderVersion the order that names it no more
     * @return what could not be done yet; to be called again then
     */
    Optional<Rejection> retire(String name, long orderVersion) throws IOException;

    /**
     * Carries out what an order says of one model, or continues it, where {@code wanted} still holds when the model's turn has come;
     * else it is interrupted by {@code INS-SUPERSEDED}. Blocks until the end. Whoever changes what is wanted and then calls
     * {@link #supersede} or {@link #cancel} is heard in every case.
     */
    InstallOutcome install(ModelOrder order, BooleanSupplier wanted) throws IOException;

    /** Ends the running install of a model at the next safe point: before the swap it fails, on probation it is rolled back. */
    void cancel(String name, Rejection why);

    /** Says that the running install of a model is to make place for another order: what comes before its swap is put off. */
    void supersede(String name, long orderVersion);
}
