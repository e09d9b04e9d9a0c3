package dev.holdfast.control.config;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.toml.TomlMapper;
import dev.holdfast.wire.FailureText;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What the file and its drop-ins hold: of each known key the entry that counts, and what was wrong so far.
 *
 * @param file the file itself
 * @param files all that were read, in order
 * @param entries by the key's name
 */
record ConfigSources(Path file, List<Path> files, Map<String, ConfigEntry> entries, List<ConfigProblem> problems) {
    /** Beside the file. */
    static final String DROP_INS = "conf.d";

    static final Comparator<ConfigProblem> IN_ORDER_OF_FILES = Comparator.comparing(ConfigProblem::file)
            .thenComparing(problem -> problem.at().line())
            .thenComparing(problem -> problem.at().column());

    private static final int MAX_BYTES = 64 * 1024;
    private static final int MAX_DROP_INS = 64;
    /** Of one file; one mistake can make any number of others look wrong. */
    private static final int MAX_SYNTAX_PROBLEMS = 8;

    static ConfigSources read(Path file) {
        List<Path> files = new ArrayList<>(List.of(file));
        Map<String, ConfigEntry> entries = new HashMap<>();
        List<ConfigProblem> problems = new ArrayList<>();
        Path folder = file.toAbsolutePath().resolveSibling(DROP_INS);
        try {
            files.addAll(dropIns(folder));
        } catch (IOException e) {
            problems.add(
                    new ConfigProblem(folder, TomlPositions.At.START, "", "cannot be listed: " + FailureText.of(e)));
        }
        for (Path each : files) {
            new OneFile(each, each != file, entries, problems).read();
        }
        return new ConfigSources(file, List.copyOf(files), Map.copyOf(entries), List.copyOf(problems));
    }

    private static List<Path> dropIns(Path folder) throws IOException {
        if (Files.notExists(folder)) {
            return List.of();
        }
        try (Stream<Path> listed = Files.list(folder)) {
            List<Path> found = listed.filter(
                            path -> path.getFileName().toString().endsWith(".toml"))
                    // An editor's own files begin with a dot.
                    .filter(path -> !path.getFileName().toString().startsWith("."))
                    .limit(MAX_DROP_INS + 1)
                    .sorted(Comparator.comparing(path -> path.getFileName().toString()))
                    .toList();
            if (found.size() > MAX_DROP_INS) {
                throw new IOException("there are more than " + MAX_DROP_INS + " files");
            }
            return found;
        }
    }

    private record OneFile(Path file, boolean dropIn, Map<String, ConfigEntry> entries, List<ConfigProblem> problems) {
        void read() {
            try (InputStream in = Files.newInputStream(file)) {
                byte[] bytes = in.readNBytes(MAX_BYTES + 1);
                if (bytes.length > MAX_BYTES) {
                    problem(TomlPositions.At.START, "", "is longer than " + MAX_BYTES + " bytes");
                    return;
                }
                read(StandardCharsets.UTF_8
                        .newDecoder()
                        .decode(ByteBuffer.wrap(bytes))
                        .toString());
            } catch (NoSuchFileException e) {
                problem(TomlPositions.At.START, "", "there is no such file");
            } catch (CharacterCodingException e) {
                problem(TomlPositions.At.START, "", "is not text in UTF-8");
            } catch (IOException e) {
                problem(TomlPositions.At.START, "", "cannot be read: " + FailureText.of(e));
            }
        }

        private void read(String whole) throws IOException {
            String text = whole;
            for (int mistakes = 0; mistakes < MAX_SYNTAX_PROBLEMS; mistakes++) {
                try {
                    take(new TomlMapper().readTree(text), TomlPositions.of(text));
                    return;
                } catch (JacksonException e) {
                    // Without that line the others can be judged, too.
                    Optional<String> rest =
                            TomlPositions.without(text, mistake(e, text).line());
                    if (rest.isEmpty() || rest.get().equals(text)) {
                        return;
                    }
                    text = rest.get();
                }
            }
        }

        private TomlPositions.At mistake(JacksonException e, String text) {
            // The parser's place is behind the second one.
            List<TomlPositions.Repeated> repeated =
                    e.getOriginalMessage().startsWith("Duplicate key") ? TomlPositions.repeated(text) : List.of();
            if (!repeated.isEmpty()) {
                TomlPositions.Repeated first = repeated.getFirst();
                problem(
                        first.again(),
                        first.key(),
                        "is there already, in line " + first.first().line());
                return first.again();
            }
            JsonLocation where = e.getLocation();
            TomlPositions.At at = where == null
                    ? TomlPositions.At.START
                    : new TomlPositions.At(Math.max(1, where.getLineNr()), Math.max(1, where.getColumnNr()));
            problem(at, "", "is not TOML: " + e.getOriginalMessage());
            return at;
        }

        private void take(JsonNode toml, Map<String, TomlPositions.Entry> positions) {
            for (var names = toml.fieldNames(); names.hasNext(); ) {
                String name = names.next();
                TomlPositions.Entry position = positions.getOrDefault(
                        name, new TomlPositions.Entry(TomlPositions.At.START, TomlPositions.At.START));
                if (ConfigKeys.byName(name).isPresent()) {
                    entries.put(name, new ConfigEntry(toml.get(name), file, position.value(), dropIn));
                } else {
                    String nearest = NearestName.of(name, ConfigKeys.names())
                            .map(key -> "; did you mean " + key + "?")
                            .orElse("; holdfast config reference lists those there are");
                    problem(position.key(), name, "is not a key" + nearest);
                }
            }
        }

        private void problem(TomlPositions.At at, String key, String detail) {
            problems.add(new ConfigProblem(file, at, key, detail));
        }
    }
}
