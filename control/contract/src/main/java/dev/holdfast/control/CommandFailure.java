package dev.holdfast.control;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.CodedFailure;
import dev.holdfast.wire.ExitCode;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.concurrent.CancellationException;

/**
 * What a command says and returns when it fails, the same for every program: what failed and where, and below it what to do.
 *
 * @param exit how the process ends
 * @param what one line; it begins with the code where the failure has one
 * @param remedy what to do; empty where nothing helps but reading the line
 */
public record CommandFailure(ExitCode exit, String what, String remedy) {
    private static final String RIGHTS = "run it as the user whose it is, or as root";
    /** strerror(ENOSPC), strerror(EISDIR). */
    private static final String DISK_FULL = "No space left on device";

    private static final String IS_FOLDER = "Is a directory";

    /** A failure that a command words itself. */
    public static final class Worded extends Exception {
        private static final long serialVersionUID = 1L;

        private final transient CommandFailure failure;

        public Worded(ExitCode exit, String what, String remedy) {
            super(what);
            failure = new CommandFailure(exit, what, remedy);
        }
    }

    public static CommandFailure of(Throwable failure) {
        return switch (failure) {
            case Worded worded -> worded.failure;
            case CodedFailure coded -> of(coded.rejection());
            case NoDaemonException nobody -> of(nobody);
            case NoSuchFileException absent -> absent(Path.of(absent.getFile()));
            case AccessDeniedException denied ->
                new CommandFailure(ExitCode.PERMISSION, denied.getFile() + ": this user may not do that", RIGHTS);
            case FileAlreadyExistsException there ->
                new CommandFailure(
                        ExitCode.FAILED, there.getFile() + " is there already", "name another one, or remove it");
            case NotDirectoryException file ->
                new CommandFailure(ExitCode.FAILED, file.getFile() + " is not a folder", "");
            case FileSystemException other
            when other.getReason() != null -> of(other.getFile() + ": ", other.getReason());
            case UncheckedIOException wrapped when wrapped.getCause() != null -> of(wrapped.getCause());
            case IOException io -> of("", FailureText.of(io));
            case CancellationException given -> new CommandFailure(ExitCode.FAILED, FailureText.of(given), "");
            case OutOfMemoryError _ ->
                new CommandFailure(
                        ExitCode.FAILED,
                        "the program's memory is too small for that",
                        "a smaller file, or fewer at a time");
            case InterruptedException _ -> new CommandFailure(ExitCode.INTERRUPTED, "interrupted", "");
            default ->
                new CommandFailure(
                        ExitCode.INTERNAL,
                        "a fault of the program: " + FailureText.of(failure),
                        "the same command with --debug shows where; please report it");
        };
    }

    /** The file, or the folder that it would be in. */
    private static CommandFailure absent(Path file) {
        Path folder = file.toAbsolutePath().getParent();
        String what = folder == null || Files.isDirectory(folder) ? "file " + file : "folder " + folder;
        return new CommandFailure(
                ExitCode.FAILED, "there is no " + what, "check the path; a relative one counts from where you are");
    }

    public static CommandFailure of(Rejection why) {
        return new CommandFailure(ExitCode.of(why.code()), why.toString(), remedy(why.code()));
    }

    /** Those of the request itself are said in the detail. */
    private static String remedy(Code code) {
        return switch (code) {
            case API_REQUEST, API_NOT_FOUND -> "";
            default -> code.remedy();
        };
    }

    private static CommandFailure of(NoDaemonException nobody) {
        if (nobody.isDenied()) {
            return new CommandFailure(
                    ExitCode.PERMISSION,
                    "this user may not connect to " + nobody.socket(),
                    "run it as root, or as a user of the group that the socket belongs to");
        }
        return new CommandFailure(
                ExitCode.UNAVAILABLE,
                "no daemon answers on " + nobody.socket(),
                "start it: systemctl start holdfast holdfast-inference; journalctl -u holdfast says why it ended. With"
                        + " another configuration name it: --config FILE");
    }

    private static CommandFailure of(String where, String reason) {
        if (reason.contains(DISK_FULL)) {
            return new CommandFailure(
                    ExitCode.FAILED, where + "the disk is full", "free some space, and run the same command again");
        }
        if (reason.contains(IS_FOLDER)) {
            return new CommandFailure(
                    ExitCode.FAILED, where + "a folder was named where a file is needed", "name a file");
        }
        return new CommandFailure(ExitCode.FAILED, where + reason, "");
    }

    /** The line, and below it what to do. */
    public String text() {
        return remedy.isEmpty() ? what : what + System.lineSeparator() + "  -> " + remedy;
    }

    public static int exitCode(Throwable failure) {
        return of(failure).exit().number();
    }

    public static String message(Throwable failure) {
        return of(failure).text();
    }
}
