package dev.holdfast.agent;

import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.Order;
import dev.holdfast.updater.Installs;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** The work on every model of the device, one {@link ModelWork} each. Thread-safe. */
final class ModelWorks implements AutoCloseable {
    private final ModelWork.Parts parts;
    private final SortedMap<String, ModelWork> works = new TreeMap<>();
    private boolean closed;

    ModelWorks(ModelWork.Parts parts) {
        this.parts = parts;
    }

    /** Goes on with every model that is in use here. */
    void start() {
        parts.installer().inUse().forEach(this::of);
    }

    private synchronized Optional<ModelWork> of(String model) {
        if (closed) {
            return Optional.empty();
        }
        return Optional.of(works.computeIfAbsent(model, fresh -> {
            ModelWork work = new ModelWork(fresh, parts);
            work.start();
            return work;
        }));
    }

    /**
     * Has an order carried out, each model by itself; does not wait for any.
     *
     * @return why the order as a whole is not carried out, or what of it is left to do
     */
    Optional<Rejection> carryOut(Order order) throws IOException {
        Installs installer = parts.installer();
        Optional<Rejection> refused = installer.arrange(order);
        if (refused.filter(why -> why.code() == Code.UPD_INCOMPATIBLE).isPresent()) {
            return refused;
        }
        Set<String> dropped = installer.dropped(order);
        for (String name : dropped) {
            of(name).ifPresent(work -> work.want(new ModelWork.Wish.Retire(order.version())));
        }
        Set<String> named = order.models().stream()
                .map(model -> model.model().model())
                .collect(Collectors.toCollection(HashSet::new));
        named.addAll(dropped);
        drop(named);
        for (ModelOrder model : order.models()) {
            of(model.model().model()).ifPresent(work -> work.want(new ModelWork.Wish.Serve(model, order.expires())));
        }
        return refused;
    }

    /** What no order names and nothing here is left of, such as a model that failed, is not wanted and not told of any more. */
    private synchronized void drop(Set<String> named) {
        works.forEach((name, work) -> {
            if (!named.contains(name)) {
                work.drop();
            }
        });
    }

    /** Forgets what the fleet ordered last: a person at the device brought another order. */
    synchronized void forget() {
        works.values().forEach(ModelWork::forget);
    }

    /** Has the parts of every model in use made agree once more, after an operation that went around this work. */
    void settleAgain() {
        parts.installer().inUse().forEach(name -> of(name).ifPresent(ModelWork::settleAgain));
    }

    /** Has what waits tried again: what it waits for may be different now. */
    synchronized void wake() {
        works.values().forEach(ModelWork::wake);
    }

    /** The state of each model that is worked on. */
    synchronized SortedMap<String, ModelWork.State> states() {
        SortedMap<String, ModelWork.State> states = new TreeMap<>();
        works.forEach((name, work) -> states.put(name, work.state()));
        return states;
    }

    /** The work on a model, where there is any. */
    synchronized Optional<ModelWork> find(String model) {
        return Optional.ofNullable(works.get(model));
    }

    @Override
    public void close() {
        SortedMap<String, ModelWork> left;
        synchronized (this) {
            closed = true;
            left = new TreeMap<>(works);
        }
        left.values().forEach(ModelWork::close);
    }
}
