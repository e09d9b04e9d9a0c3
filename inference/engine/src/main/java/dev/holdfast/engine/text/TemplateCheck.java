package dev.holdfast.engine.text;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Which literals of a template are no single token of a vocabulary.
 *
 * @param unbound all of them, in the template's order
 */
public record TemplateCheck(List<Unbound> unbound) {
    /** Of each 64 characters at most, so that a hint costs some 30 million steps at worst. */
    private static final int MAX_COMPARED = 8192;

    private static final int MAX_TOKEN_CHARS = 64;
    private static final int MAX_PIECES = 8;

    /**
     * A literal that is no single token.
     *
     * @param place where it is, such as {@code roles.user.before[0]}
     * @param pieces the tokens that it would be cut into, the first few; several literals of these bind
     * @param nearest the special token that is written most like it
     */
    public record Unbound(String place, String literal, List<String> pieces, Optional<String> nearest) {
        public Unbound {
            pieces = List.copyOf(pieces);
        }

        /** What to write instead. */
        public String hint() {
            String cut = "the vocabulary cuts it into "
                    + pieces.stream()
                            .map(piece -> '"' + TokenText.visible(piece) + '"')
                            .collect(Collectors.joining(" "));
            return nearest.map(token -> "nearest is \"" + TokenText.visible(token) + "\"; " + cut)
                    .orElse(cut);
        }

        @Override
        public String toString() {
            return place + " \"" + TokenText.visible(literal) + "\" (" + hint() + ")";
        }
    }

    public TemplateCheck {
        unbound = List.copyOf(unbound);
    }

    public static TemplateCheck of(ChatTemplate template, Tokenizer tokenizer) {
        List<Unbound> unbound = new ArrayList<>();
        check("bos", template.bos(), tokenizer, unbound);
        for (Map.Entry<String, ChatTemplate.Around> role : template.roles().entrySet()) {
            String place = "roles." + role.getKey() + ".";
            check(place + "before", role.getValue().before(), tokenizer, unbound);
            check(place + "after", role.getValue().after(), tokenizer, unbound);
        }
        check("generation", template.generation(), tokenizer, unbound);
        check("stop", template.stop(), tokenizer, unbound);
        return new TemplateCheck(unbound);
    }

    public boolean binds() {
        return unbound.isEmpty();
    }

    void requireBound() throws RejectedException {
        if (!binds()) {
            throw new RejectedException(rejection());
        }
    }

    /** Why the template does not bind: each literal, as far as there is room. */
    private Rejection rejection() {
        String all = unbound.stream().map(Unbound::toString).collect(Collectors.joining("; "));
        return new Rejection(
                Code.GGUF_UNSUPPORTED,
                (unbound.size() == 1
                                ? "a literal of the template is not a single token: "
                                : unbound.size() + " literals of the template are not single tokens: ")
                        + all);
    }

    private static void check(String place, List<String> literals, Tokenizer tokenizer, List<Unbound> unbound) {
        for (int i = 0; i < literals.size(); i++) {
            String literal = literals.get(i);
            if (tokenizer.literal(literal) == null) {
                unbound.add(new Unbound(
                        place + "[" + i + "]", literal, pieces(literal, tokenizer), nearest(literal, tokenizer)));
            }
        }
    }

    private static List<String> pieces(String literal, Tokenizer tokenizer) {
        List<String> pieces = new ArrayList<>();
        for (int id : tokenizer.encode(literal, false)) {
            if (pieces.size() == MAX_PIECES) {
                pieces.add("...");
                break;
            }
            pieces.add(TokenText.of(tokenizer, id));
        }
        return pieces;
    }

    private static Optional<String> nearest(String literal, Tokenizer tokenizer) {
        Vocabulary vocabulary = tokenizer.vocabulary();
        // Beyond a third of its characters it is another word.
        int best = Math.max(1, literal.length() / 3) + 1;
        String found = null;
        for (int id = 0, compared = 0; id < vocabulary.size() && compared < MAX_COMPARED; id++) {
            String text = vocabulary.text(id);
            boolean special = vocabulary.isControl(id) || vocabulary.kind(id) == Vocabulary.Kind.USER_DEFINED;
            if (!special || text.length() > MAX_TOKEN_CHARS) {
                continue;
            }
            compared++;
            int distance = distance(literal, text);
            if (distance < best) {
                best = distance;
                found = text;
            }
        }
        return Optional.ofNullable(found);
    }

    /** How many characters to add, to take away or to change: the distance of Levenshtein. */
    private static int distance(String from, String to) {
        int[] row = new int[to.length() + 1];
        for (int j = 0; j <= to.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= from.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= to.length(); j++) {
                int above = row[j];
                int changed = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
                row[j] = Math.min(changed, Math.min(above, row[j - 1]) + 1);
                diagonal = above;
            }
        }
        return row[to.length()];
    }
}
