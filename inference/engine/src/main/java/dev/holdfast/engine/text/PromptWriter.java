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

/**
 * A chat template bound to a vocabulary: every literal is one token that exists. Content is tokenised on its own, with
 * all control tokens, special literals and stop tokens out of reach, so that no message can forge a turn.
 */
public final class PromptWriter {
    private static final String SYSTEM = "system";
    private static final String USER = "user";
    private static final String PARAGRAPH = "\n\n";

    private record Tokens(int[] before, int[] after) {}

    private final Tokenizer content;
    private final int[] begin;
    private final Map<String, Tokens> roles = new HashMap<>();
    private final int[] generation;
    private final BitSet special = new BitSet();
    private final ChatTemplate.Instructions system;

    private PromptWriter(ChatTemplate template, Tokenizer tokenizer) throws RejectedException {
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

    private int[] ids(List<String> literals, Tokenizer tokenizer) throws RejectedException {
        int[] ids = new int[literals.size()];
        for (int i = 0; i < ids.length; i++) {
            Integer id = tokenizer.literal(literals.get(i));
            if (id == null) {
                throw new RejectedException(
                        Code.GGUF_UNSUPPORTED, "the template's literal " + literals.get(i) + " is not a single token");
            }
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
        int[] out = begin.clone();
        for (Message message : turns(messages)) {
            Tokens tokens = roles.get(message.role());
            if (tokens == null || (message.role().equals(SYSTEM) && system == ChatTemplate.Instructions.NONE)) {
                return new Verdict.Rejected<>(
                        Rejection.ofField(Code.API_REQUEST, "messages", "the model has no role " + message.role()));
            }
            out = join(out, tokens.before);
            boolean afterSpecial = out.length == 0 || isSpecial(out[out.length - 1]);
            out = join(out, content.encode(message.content(), afterSpecial));
            out = join(out, tokens.after);
        }
        return Verdict.accepted(join(out, generation));
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
