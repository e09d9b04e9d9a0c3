package dev.holdfast.bench.mutants;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * The process with the tests. Each line that it reads is a job, {@code CLASSPATH SELECTOR...}: the classes of the modules, with those of
 * a slip before them, get a loader of their own, and the libraries stay. It answers with {@link #MARK} and {@code SELECTOR PASSED SKIPPED
 * MILLIS FAILED} for each selector, the last being the first test that failed or {@link #NONE}, and with {@link #MARK} and {@link #END}
 * after the last or the first that failed.
 */
final class TestProcess implements TestExecutionListener {
    static final String MARK = "##mutants## ";
    static final String END = "end";
    static final String NONE = "-";

    private String failed = NONE;
    private int passed;
    private int skipped;

    private TestProcess() {}

    public static void main(String[] args) throws Exception {
        String libraries = System.getProperty("java.class.path");
        PrintStream answers = System.out;
        BufferedReader jobs = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String job; (job = jobs.readLine()) != null; ) {
            String[] words = job.split(" ");
            // For tests that start programs of their own.
            System.setProperty("java.class.path", words[0] + File.pathSeparator + libraries);
            try (URLClassLoader loader = new URLClassLoader(urls(words[0]), TestProcess.class.getClassLoader())) {
                Thread.currentThread().setContextClassLoader(loader);
                String failed = NONE;
                for (int i = 1; i < words.length && failed.equals(NONE); i++) {
                    failed = run(loader, words[i], answers);
                }
            }
            answers.println(MARK + END);
        }
        // Threads that a test left behind hold nobody up.
        Runtime.getRuntime().halt(0);
    }

    private static URL[] urls(String classPath) throws MalformedURLException {
        List<URL> urls = new ArrayList<>();
        for (String entry : classPath.split(File.pathSeparator)) {
            urls.add(Path.of(entry).toUri().toURL());
        }
        return urls.toArray(URL[]::new);
    }

    private static String run(ClassLoader loader, String selector, PrintStream answers) throws IOException {
        long began = System.nanoTime();
        TestProcess one = new TestProcess();
        try {
            LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request()
                    .selectors(selectors(loader, selector))
                    .filters(TagFilter.excludeTags("full", "soak"))
                    .build();
            LauncherFactory.create().execute(request, one);
        } catch (ClassNotFoundException | LinkageError e) {
            one.fail(selector, e);
        }
        long millis = (System.nanoTime() - began) / 1_000_000;
        answers.println(MARK + selector + " " + one.passed + " " + one.skipped + " " + millis + " " + one.failed);
        return one.failed;
    }

    private synchronized void fail(String test, Throwable failure) {
        failure.printStackTrace(System.out);
        if (failed.equals(NONE)) {
            failed = test;
        }
    }

    @Override
    public synchronized void executionFinished(TestIdentifier test, TestExecutionResult result) {
        switch (result.getStatus()) {
            case SUCCESSFUL -> passed += test.isTest() ? 1 : 0;
            case ABORTED -> skipped++;
            case FAILED -> fail(nameOf(test), result.getThrowable().orElseGet(Throwable::new));
        }
    }

    @Override
    public synchronized void executionSkipped(TestIdentifier test, String reason) {
        skipped++;
    }

    private static String nameOf(TestIdentifier test) {
        Object source = test.getSource().isPresent() ? test.getSource().get() : "";
        return switch (source) {
            case MethodSource method -> method.getClassName() + "#" + method.getMethodName();
            case ClassSource type -> type.getClassName();
            default -> test.getUniqueId().replace(' ', '_');
        };
    }

    /** A method by its name, whatever it takes, of the class or one that it extends. */
    private static List<DiscoverySelector> selectors(ClassLoader loader, String selector)
            throws ClassNotFoundException {
        int hash = selector.indexOf('#');
        Class<?> type = Class.forName(hash < 0 ? selector : selector.substring(0, hash), true, loader);
        if (hash < 0) {
            return List.of(selectClass(type));
        }
        List<DiscoverySelector> found = new ArrayList<>();
        String method = selector.substring(hash + 1);
        for (Class<?> at = type; at != Object.class; at = at.getSuperclass()) {
            Arrays.stream(at.getDeclaredMethods())
                    .filter(one -> one.getName().equals(method) && !one.isSynthetic())
                    .forEach(one -> found.add(selectMethod(type, one)));
        }
        return found;
    }
}
