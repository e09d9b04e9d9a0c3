package dev.holdfast.engine.text;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * A chat template bound to a vocabulary: every literal is one token that exists. Content is tokenised on its own, with
 * all control tokens, special literals and stop tokens out of reach, so that no message can forge a turn.
 */
public final class PromptWriter {
    private static final String SYSTEM = "system";
    private static final String USER = "user";
    private static final String PARAGRAPH = "\n\n";

    private static final int NONE = -1;

    private record Tokens(int[] before, int[] after) {}

    /** Tokens of one message that are all literals or all content. */
    private record Part(int[] ids, boolean literal, String role) {}

    private final Tokenizer content;
    private final int[] begin;
    private final Map<String, Tokens> roles = new HashMap<>();
    private final int[] generation;
    private final BitSet special = new BitSet();
    private final ChatTemplate.Instructions system;

    private PromptWriter(ChatTemplate template, Tokenizer tokenizer) throws RejectedException {
        TemplateCheck.of(template, tokenizer).requireBound();
        begin = ids(template.bos(), tokenizer);
        system = template.system();
        for (Map.Entry<String, ChatTemplate.Around> role : template.roles().entrySet()) {
            ChatTemplate.Around around = role.getValue();
            roles.put(role.getKey(), new Tokens(ids(around.before(), tokenizer), ids(around.after(), tokenizer)));
        }
        generation = ids(template.generation(), tokenizer);
        for (int id : ids(template.stop(), tokenizer)) {
            special.set(id);
        }
        content = tokenizer.without(special);
    }

    public static Verdict<PromptWriter> bind(ChatTemplate template, Tokenizer tokenizer) {
        return Verdict.of(() -> new PromptWriter(template, tokenizer));
    }

    /** The tokens of literals, all of which are known to be some. */
    private int[] ids(List<String> literals, Tokenizer tokenizer) {
        int[] ids = new int[literals.size()];
        for (int i = 0; i < ids.length; i++) {
            int id = Objects.requireNonNull(tokenizer.literal(literals.get(i)));
            ids[i] = id;
            // A newline or a role's name may be a literal too, and must still be writable by users.
            Vocabulary.Kind kind = tokenizer.vocabulary().kind(id);
            if (kind != Vocabulary.Kind.NORMAL && kind != Vocabulary.Kind.BYTE) {
                special.set(id);
            }
        }
        return ids;
    }

    /** The tokens that the model's answer continues. */
    public Verdict<int[]> write(Prompt prompt) {
        return switch (prompt) {
            case Prompt.Conversation(List<Message> messages) -> write(messages);
            case Prompt.Text(String text) -> Verdict.accepted(join(begin, content.encode(text, true)));
        };
    }

    public Verdict<int[]> write(List<Message> messages) {
        return parts(messages).then(parts -> {
            int[] out = {};
            for (Part part : parts) {
                out = join(out, part.ids);
            }
            return Verdict.accepted(out);
        });
    }

    /** The same tokens, each with what it is. */
    public Verdict<List<PromptPiece>> explain(List<Message> messages) {
        return parts(messages).then(parts -> {
            List<PromptPiece> pieces = new ArrayList<>();
            for (Part part : parts) {
                for (int id : part.ids) {
                    String text = TokenText.visible(TokenText.of(content, id));
                    pieces.add(new PromptPiece(id, text, part.literal, part.role));
                }
            }
            return Verdict.accepted(pieces);
        });
    }

    private Verdict<List<Part>> parts(List<Message> messages) {
        List<Part> parts = new ArrayList<>();
        parts.add(new Part(begin, true, ""));
        int last = begin.length == 0 ? NONE : begin[begin.length - 1];
        for (Message message : turns(messages)) {
            String role = message.role();
            Tokens tokens = roles.get(role);
            if (tokens == null || (role.equals(SYSTEM) && system == ChatTemplate.Instructions.NONE)) {
                return new Verdict.Rejected<>(
                        Rejection.ofField(Code.API_REQUEST, "messages", "the model has no role " + role));
            }
            last = add(parts, tokens.before, true, role, last);
            boolean afterSpecial = last == NONE || isSpecial(last);
            last = add(parts, content.encode(message.content(), afterSpecial), false, role, last);
            last = add(parts, tokens.after, true, role, last);
        }
        parts.add(new Part(generation, true, ""));
        return Verdict.accepted(parts);
    }

    /** Adds tokens, and says which one is the last now. */
    private static int add(List<Part> parts, int[] ids, boolean literal, String role, int last) {
        parts.add(new Part(ids, literal, role));
        return ids.length == 0 ? last : ids[ids.length - 1];
    }

    /** The conversation in roles of the template, where it has another way to say what a role means. */
    private List<Message> turns(List<Message> messages) {
        List<Message> turns = new ArrayList<>();
        StringBuilder instructions = new StringBuilder();
        for (Message message : messages) {
            String role = role(message.role());
            if (role.equals(SYSTEM) && system == ChatTemplate.Instructions.FIRST_USER) {
                instructions.append(message.content()).append(PARAGRAPH);
            } else if (role.equals(USER) && !instructions.isEmpty()) {
                turns.add(new Message(USER, instructions + message.content()));
                instructions.setLength(0);
            } else {
                turns.add(new Message(role, message.content()));
            }
        }
        if (!instructions.isEmpty()) {
            // Nobody asks anything: the instructions are the question.
            instructions.setLength(instructions.length() - PARAGRAPH.length());
            turns.add(new Message(USER, instructions.toString()));
        }
        return turns;
    }

    private String role(String asked) {
        if (roles.containsKey(asked)) {
            return asked;
        }
        return switch (asked) {
            case "developer" -> SYSTEM;
            // What a tool found is told to the model by whoever runs it.
            case "tool" -> USER;
            default -> asked;
        };
    }

    private static int[] join(int[] first, int[] second) {
        int[] all = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, all, first.length, second.length);
        return all;
    }

    /** Whether a token ends the answer: a stop token or any control token. */
    public boolean ends(int id) {
        return isSpecial(id);
    }

    private boolean isSpecial(int id) {
        return special.get(id) || content.vocabulary().isControl(id);
    }

    /** The tokenizer for content. */
    public Tokenizer tokenizer() {
        return content;
    }
}
