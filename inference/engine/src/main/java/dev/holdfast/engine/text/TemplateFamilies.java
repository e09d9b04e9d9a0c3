package dev.holdfast.engine.text;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Makes a template for signing from a model file whose chat format is one of those known here.
 *
 * <p>The Jinja in the file ({@code tokenizer.chat_template}) is never executed or parsed. It is searched for the literal
 * markers of each family, and what the family writes around a message is known by {@link TemplateFamily}. Each literal is one
 * token of the file's vocabulary; a text between markers that is none is cut as the tokenizer cuts it.
 */
public final class TemplateFamilies {
    /** Twice the longest in use, which have some 30 KiB and many lines about tools. */
    static final int MAX_JINJA_CHARS = 128 * 1024;

    private static final String KEY = "tokenizer.chat_template";
    private static final int MAX_FOUND = 6;
    private static final int MAX_MARKER_CHARS = 32;
    private static final String BY_HAND = "; write one by hand (docs/templates.md), or say --family";

    private TemplateFamilies() {}

    /**
     * A template for signing, which binds to the vocabulary that it was made for.
     *
     * @param family the family's name, such as {@code llama-3}
     * @param notes in what it differs from the family's own template, for a person
     */
    public record Imported(String family, ChatTemplate template, List<String> notes) {
        public Imported {
            notes = List.copyOf(notes);
        }
    }

    /** The names of all families. */
    public static List<String> names() {
        return Arrays.stream(TemplateFamily.values()).map(TemplateFamily::word).toList();
    }

    /**
     * The template of a file.
     *
     * @param family the name of the family where somebody says it; else it is recognised
     */
    public static Verdict<Imported> of(GgufFile file, Optional<String> family) {
        return Verdict.of(() -> {
            String jinja = file.text(KEY, "").orThrow();
            if (jinja.isEmpty() && family.isEmpty()) {
                throw new RejectedException(Code.GGUF_UNSUPPORTED, "the file has no " + KEY + BY_HAND);
            }
            return of(jinja, Tokenizer.of(file), family).orThrow();
        });
    }

    /** The template of a Jinja text for a vocabulary; see {@link #of(GgufFile, Optional)}. */
    public static Verdict<Imported> of(String jinja, Tokenizer tokenizer, Optional<String> family) {
        return Verdict.of(() -> {
            if (jinja.length() > MAX_JINJA_CHARS) {
                throw new RejectedException(
                        Code.WIRE_TOO_LARGE,
                        KEY + " has " + jinja.length() + " characters, at most " + MAX_JINJA_CHARS);
            }
            return make(family(jinja, family), jinja, tokenizer);
        });
    }

    private static TemplateFamily family(String jinja, Optional<String> said) throws RejectedException {
        if (said.isPresent()) {
            return TemplateFamily.named(said.get())
                    .orElseThrow(() -> new RejectedException(
                            Code.CFG_INVALID,
                            "no family " + said.get() + " of templates; known: " + String.join(", ", names())));
        }
        return TemplateFamily.of(jinja)
                .orElseThrow(() -> new RejectedException(
                        Code.GGUF_UNSUPPORTED,
                        KEY + " is of no known family (" + String.join(", ", names()) + "): found " + found(jinja)
                                + BY_HAND));
    }

    /** What looks like a marker, for a message: the first few different ones. */
    private static String found(String jinja) {
        Set<String> found = new LinkedHashSet<>();
        for (int at = jinja.indexOf('<'); at >= 0 && found.size() < MAX_FOUND; at = jinja.indexOf('<', at + 1)) {
            int end = jinja.indexOf('>', at);
            if (end < 0) {
                break;
            }
            String marker = jinja.substring(at, Math.min(end + 1, at + MAX_MARKER_CHARS + 1));
            if (marker.length() <= MAX_MARKER_CHARS && marker.chars().noneMatch(TemplateFamilies::isBreak)) {
                found.add(marker);
            }
        }
        return found.isEmpty() ? "no markers" : String.join(" ", found);
    }

    private static boolean isBreak(int c) {
        return c <= ' ' || c == '\'' || c == '"' || c == '{';
    }

    private static Imported make(TemplateFamily family, String jinja, Tokenizer tokenizer) throws RejectedException {
        Cutter cutter = new Cutter(family, tokenizer);
        Map<String, ChatTemplate.Around> roles = new LinkedHashMap<>();
        List<String> notes = new ArrayList<>();
        for (Map.Entry<String, TemplateFamily.Turn> turn : family.turns(jinja).entrySet()) {
            List<String> before = cutter.literals(turn.getValue().before());
            List<String> after = cutter.literals(turn.getValue().after());
            if (turn.getKey().equals("tool") && !(fits(before) && fits(after))) {
                notes.add("what is around a tool's result has too many tokens: it is written as the user's turn");
            } else {
                roles.put(turn.getKey(), new ChatTemplate.Around(before, after));
            }
        }
        List<String> stop = new ArrayList<>(List.of(family.end()));
        family.stops().stream()
                .filter(text -> tokenizer.vocabulary().find(text) != null)
                .forEach(stop::add);
        List<String> begin = cutter.begin(jinja);
        List<String> generation = cutter.literals(family.generation());
        cutter.requireWhole();
        if (!family.note().isEmpty()) {
            notes.add(family.note());
        }
        ChatTemplate made = new ChatTemplate(begin, roles, generation, stop, family.system(jinja));
        // Read back as a device reads it, so that nothing is written that it would refuse.
        ChatTemplate template = ChatTemplate.read(made.toJson()).orThrow();
        PromptWriter.bind(template, tokenizer).orThrow();
        return new Imported(family.word(), template, notes);
    }

    private static boolean fits(List<String> literals) {
        return literals.size() <= ChatTemplate.MAX_LITERALS;
    }

    /** Makes literals of the parts of a turn, and remembers which markers the vocabulary lacks. */
    private static final class Cutter {
        private final TemplateFamily family;
        private final Tokenizer tokenizer;
        private final Vocabulary vocabulary;
        private final Set<String> missing = new LinkedHashSet<>();

        Cutter(TemplateFamily family, Tokenizer tokenizer) {
            this.family = family;
            this.tokenizer = tokenizer;
            this.vocabulary = tokenizer.vocabulary();
        }

        List<String> literals(List<String> parts) {
            List<String> literals = new ArrayList<>();
            for (String part : parts) {
                if (vocabulary.find(part) != null) {
                    literals.add(part);
                } else if (TemplateFamily.isMarker(part)) {
                    missing.add(part);
                } else {
                    for (int id : tokenizer.encode(part, false)) {
                        String literal = literal(id);
                        if (literal == null) {
                            missing.add(part);
                        } else {
                            literals.add(literal);
                        }
                    }
                }
            }
            return literals;
        }

        /** How a template names a token: by the text that it stands for, or as the vocabulary writes it. */
        private @Nullable String literal(int id) {
            String text = tokenizer.decode(new int[] {id});
            for (String name : new String[] {text, vocabulary.text(id)}) {
                Integer named = name.isEmpty() ? null : tokenizer.literal(name);
                if (named != null && named == id && id != vocabulary.unknown()) {
                    return name;
                }
            }
            return null;
        }

        /** The token that begins a text: where the Jinja writes it, or else where the file says that it is added. */
        List<String> begin(String jinja) {
            int id = vocabulary.begin();
            if (id < 0 || family.marks(vocabulary.text(id))) {
                // SmolLM2 begins a text with <|im_start|>, Granite with <|end_of_text|>, and neither adds it to a
                // conversation.
                return List.of();
            }
            String text = vocabulary.text(id);
            boolean written = jinja.contains("bos_token") || jinja.contains(text);
            return written || tokenizer.frame().begin() == id ? List.of(text) : List.of();
        }

        void requireWhole() throws RejectedException {
            if (!missing.isEmpty()) {
                throw new RejectedException(
                        Code.GGUF_UNSUPPORTED,
                        "the file's Jinja is of the family " + family.word() + ", but its vocabulary lacks "
                                + missing.stream()
                                        .map(text -> text.replace("\n", "\\n"))
                                        .collect(Collectors.joining(", ")));
            }
        }
    }
}
