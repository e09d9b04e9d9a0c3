package dev.holdfast.bench.mutants;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The modules as they were just built: their sources, their class folders, and the libraries of this process. */
final class BuildTree {
    private static final Pattern MODULE = Pattern.compile("<module>(.*)</module>");

    private final Path root;
    private final List<Path> modules;
    private final List<Path> sources;
    private final List<Path> tests;

    BuildTree(Path root) throws IOException {
        this.root = root.toRealPath();
        modules = MODULE.matcher(Files.readString(root.resolve("pom.xml")))
                .results()
                .map(module -> this.root.resolve(module.group(1)))
                .toList();
        sources = javaFiles("src/main/java");
        tests = javaFiles("src/test/java");
    }

    private List<Path> javaFiles(String folder) throws IOException {
        List<Path> found = new ArrayList<>();
        for (Path module : modules) {
            if (Files.isDirectory(module.resolve(folder))) {
                try (Stream<Path> files = Files.walk(module.resolve(folder))) {
                    files.filter(file -> file.toString().endsWith(".java")).forEach(found::add);
                }
            }
        }
        return found;
    }

    Path root() {
        return root;
    }

    /** The main source file whose path ends so. */
    Path source(String end) {
        return only(sources, end);
    }

    /** A test, found by the end of its path. */
    record Test(Path module, String selector) {}

    /** @param name {@code fleet/AdmissionTest#method}; the folder where the class alone is not enough, the method where not all are meant */
    Test test(String name) {
        String method = name.contains("#") ? name.substring(name.indexOf('#')) : "";
        Path file = only(tests, name.substring(0, name.length() - method.length()) + ".java");
        Path module = modules.stream().filter(file::startsWith).findFirst().orElseThrow();
        String type = module.resolve("src/test/java").relativize(file).toString();
        return new Test(module, type.replace(".java", "").replace('/', '.') + method);
    }

    private static Path only(List<Path> files, String end) {
        List<Path> found = files.stream()
                .filter(file -> file.toString().endsWith("/" + end))
                .toList();
        if (found.size() != 1) {
            throw new IllegalArgumentException(found.size() + " files end with " + end + ", not one: " + found);
        }
        return found.getFirst();
    }

    /** The class folders of all modules, as {@code -classpath} takes them. */
    String modules() {
        List<String> path = new ArrayList<>();
        for (Path module : modules) {
            for (String folder : List.of("target/classes", "target/test-classes")) {
                if (Files.isDirectory(module.resolve(folder))) {
                    path.add(module.resolve(folder) + "/");
                }
            }
        }
        return String.join(File.pathSeparator, path);
    }

    /** The libraries of this process, and of what is built here {@link TestProcess} alone. */
    String libraries() {
        List<String> path = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            // The jars of the modules are the folders above.
            if (entry.endsWith(".jar") && !Path.of(entry).toAbsolutePath().startsWith(root)) {
                path.add(entry);
            }
        }
        path.add(root.resolve("bench/target/test-classes").toString());
        return String.join(File.pathSeparator, path);
    }
}
