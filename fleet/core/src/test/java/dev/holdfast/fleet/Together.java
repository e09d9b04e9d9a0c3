package dev.holdfast.fleet;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Work that several threads do at once. */
final class Together {
    private Together() {}

    /** Lets all begin at once, and returns what each of them returned. */
    @SafeVarargs
    static <T> List<T> together(Callable<T>... works) throws Exception {
        CountDownLatch begin = new CountDownLatch(1);
        try (ExecutorService threads = Executors.newFixedThreadPool(works.length)) {
            List<Future<T>> running = new ArrayList<>();
            for (Callable<T> work : works) {
                running.add(threads.submit(() -> {
                    begin.await();
                    return work.call();
                }));
            }
            begin.countDown();
            List<T> results = new ArrayList<>();
            for (Future<T> one : running) {
                results.add(one.get());
            }
            return results;
        }
    }

    static <T> Callable<List<T>> times(int count, Callable<T> work) {
        return () -> {
            List<T> all = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                all.add(work.call());
            }
            return all;
        };
    }
}
