package dev.holdfast.packaging;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeTransform;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Gives classes of a format older than Java 6 the present one: the same code with the types at its branches written down, which the old
 * format lets the JVM find out at each start. No start-up cache takes classes of the old format. {@code NewerClasses JAR...} changes the
 * jars in place and prints how many classes it changed in each.
 */
public final class NewerClasses {
    /** The first whose types at branches are written down. */
    private static final int JAVA_6 = 50;

    private static final ClassFileVersion NEWER = ClassFileVersion.of(ClassFile.JAVA_17_VERSION, 0);

    private NewerClasses() {}

    public static void main(String[] jars) throws IOException {
        for (String jar : jars) {
            int changed = change(Path.of(jar));
            if (changed > 0) {
                System.out.println(Path.of(jar).getFileName() + ": " + changed);
            }
        }
    }

    /**
     * Changes one jar in place.
     *
     * @return how many of its classes had the old format
     */
    static int change(Path jar) throws IOException {
        int changed = 0;
        try (URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, null);
                FileSystem inside = FileSystems.newFileSystem(URI.create("jar:" + jar.toUri()), Map.of())) {
            ClassFile classes = ClassFile.of(
                    ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
                    ClassFile.ClassHierarchyResolverOption.of(ClassHierarchyResolver.defaultResolver()
                            .orElse(ClassHierarchyResolver.ofResourceParsing(loader))));
            for (Path file : classes(inside)) {
                ClassModel model = classes.parse(Files.readAllBytes(file));
                if (model.majorVersion() < JAVA_6) {
                    Files.write(file, newer(classes, model));
                    changed++;
                }
            }
        }
        return changed;
    }

    private static List<Path> classes(FileSystem inside) throws IOException {
        try (Stream<Path> files = Files.walk(inside.getPath("/"))) {
            return files.filter(file -> file.toString().endsWith(".class")).toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private static byte[] newer(ClassFile classes, ClassModel model) {
        ClassTransform version =
                (builder, element) -> builder.with(element instanceof ClassFileVersion ? NEWER : element);
        byte[] made = classes.transformClass(
                model, version.andThen(ClassTransform.transformingMethodBodies(CodeTransform.ACCEPT_ALL)));
        List<VerifyError> wrong = classes.verify(made);
        if (!wrong.isEmpty()) {
            throw new IllegalStateException(
                    model.thisClass().asInternalName() + ": " + wrong.getFirst().getMessage());
        }
        return made;
    }
}
