package dev.holdfast.bench.mutants;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/** Compiles one changed source file against the classes of the tree. */
final class MutantCompiler {
    private final BuildTree tree;

    MutantCompiler(BuildTree tree) {
        this.tree = tree;
    }

    /** The file with the slip in it; {@link IllegalArgumentException} where what it replaces is not there exactly once. */
    String changed(Mutant mutant) throws IOException {
        String source = Files.readString(tree.source(mutant.file()));
        int at = source.indexOf(mutant.text());
        if (at < 0 || source.indexOf(mutant.text(), at + 1) >= 0) {
            throw new IllegalArgumentException(mutant.name() + ": " + (at < 0 ? "not" : "more than once") + " in "
                    + mutant.file() + ": " + mutant.text());
        }
        return source.substring(0, at)
                + mutant.replacement()
                + source.substring(at + mutant.text().length());
    }

    /** Writes the classes of the changed file into {@code target}, and nothing else. */
    void compile(Mutant mutant, Path target) throws IOException {
        String source = changed(mutant);
        Path path = tree.source(mutant.file());
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        DiagnosticCollector<JavaFileObject> said = new DiagnosticCollector<>();
        Files.createDirectories(target);
        try (StandardJavaFileManager files = compiler.getStandardFileManager(said, null, null)) {
            List<String> options = List.of(
                    "-proc:none",
                    "-nowarn",
                    "-parameters",
                    "-g",
                    "-implicit:none",
                    "--add-modules",
                    "jdk.incubator.vector",
                    "-classpath",
                    tree.modules() + File.pathSeparator + tree.libraries(),
                    "-d",
                    target.toString());
            SimpleJavaFileObject unit =
                    new SimpleJavaFileObject(URI.create("file://" + path), JavaFileObject.Kind.SOURCE) {
                        @Override
                        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
                            return source;
                        }
                    };
            if (!compiler.getTask(null, files, said, options, null, List.of(unit))
                    .call()) {
                String why = said.getDiagnostics().stream()
                        .filter(one -> one.getKind() == Diagnostic.Kind.ERROR)
                        .findFirst()
                        .map(one -> one.getMessage(null) + " (line " + one.getLineNumber() + ")")
                        .orElse("");
                throw new IllegalArgumentException(mutant.name() + " does not compile: " + why);
            }
        }
    }
}
