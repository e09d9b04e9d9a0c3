package dev.holdfast.fleet;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.random.RandomGenerator;

/**
 * What is open for each of a bounded number of names. Where there are too many, one that is chosen by lot makes place: of a flood of
 * made-up names each pushes out a genuine one with a small chance only, while of the eldest it would be certain. Thread-safe.
 */
final class OpenAttempts<T> {
    private record Named<T>(String name, T attempt) {}

    private final int most;
    private final RandomGenerator random;
    private final List<Named<T>> open = new ArrayList<>();
    private final Map<String, Integer> places = new HashMap<>();

    OpenAttempts(int most, RandomGenerator random) {
        this.most = most;
        this.random = random;
    }

    /** Takes the place of the one of the same name, of none, or of one chosen by lot. */
    synchronized void put(String name, T attempt) {
        Integer known = places.get(name);
        int place = known != null ? known : open.size() < most ? open.size() : random.nextInt(most);
        Named<T> named = new Named<>(name, attempt);
        if (place == open.size()) {
            open.add(named);
        } else {
            places.remove(open.set(place, named).name);
        }
        places.put(name, place);
    }

    synchronized Optional<T> take(String name) {
        Integer place = places.remove(name);
        if (place == null) {
            return Optional.empty();
        }
        Named<T> taken = open.get(place);
        Named<T> last = open.removeLast();
        if (place < open.size()) {
            open.set(place, last);
            places.put(last.name, place);
        }
        return Optional.of(taken.attempt);
    }

    synchronized int size() {
        return open.size();
    }
}
