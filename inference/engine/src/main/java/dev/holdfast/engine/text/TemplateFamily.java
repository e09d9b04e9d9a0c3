package dev.holdfast.engine.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The facts of each family of chat formats: by which literals its Jinja is recognised, and what is around a message.
 *
 * <p>A part of a turn that begins with {@code <} and ends with {@code >} is a marker and must be one token. Any other part is
 * a text, which the vocabulary may cut into several tokens. {@code ROLE} is the family's word for a role. The order is that in
 * which they are tried: a family with more marks of its own comes before one with fewer.
 */
enum TemplateFamily {
    SMOLLM3(
            "smollm3",
            List.of("<|im_start|>", "<|im_end|>", "/no_think", "Custom Instructions"),
            Foreign.CHATML,
            Shape.CHATML,
            "SmolLM3's own template writes a block of metadata before instructions, unless they say /system_override; this one"
                    + " writes them alone"),
    SMOLLM2(
            "smollm2",
            List.of("<|im_start|>", "<|im_end|>", "named SmolLM"),
            Foreign.CHATML,
            Shape.CHATML,
            "SmolLM2's own template writes instructions of its own where a conversation has none; this one writes none"),
    QWEN(
            "qwen",
            List.of("<|im_start|>user", "<|im_end|>", "<tool_response>"),
            Foreign.CHATML,
            Shape.CHATML,
            "Qwen2.5's own template writes instructions of its own where a conversation has none; this one writes none"),
    CHATML("chatml", List.of("<|im_start|>", "<|im_end|>"), Foreign.CHATML, Shape.CHATML, ""),
    LLAMA3(
            "llama-3",
            List.of("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
            List.of(),
            new Shape(
                    List.of("<|start_header_id|>", "ROLE", "<|end_header_id|>", "\n\n"),
                    List.of("<|eot_id|>"),
                    List.of("<|eom_id|>", "<|end_of_text|>"),
                    "assistant"),
            "Llama 3.1's own template and newer ones write two dates before instructions; this one writes none"),
    GEMMA3(
            "gemma-3",
            List.of("<start_of_turn>", "<end_of_turn>"),
            // FunctionGemma has a role developer and six more control tokens.
            List.of("<start_function_call>"),
            new Shape(List.of("<start_of_turn>", "ROLE\n"), List.of("<end_of_turn>", "\n"), List.of("<eos>"), "model"),
            ""),
    GRANITE4(
            "granite-4",
            List.of("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>", "<tool_response>"),
            List.of(),
            Shape.GRANITE,
            "Granite's own template may write instructions of its own where a conversation has none; this one writes none"),
    GRANITE3(
            "granite-3",
            List.of("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"),
            List.of(),
            Shape.GRANITE,
            "Granite's own template writes instructions of its own with a date where a conversation has none; this one writes"
                    + " none"),
    PHI3(
            "phi-3",
            List.of("<|end|>", "<|assistant|>"),
            // Harmony has <|end|> too.
            List.of("<|start|>", "<|channel|>", "<|im_start|>"),
            // The family's tokenizer swallows white space behind its markers, so the newlines of the Jinja are no
            // tokens.
            new Shape(List.of("<|ROLE|>"), List.of("<|end|>"), List.of("<|endoftext|>"), "assistant"),
            "");

    /** What says that a text with a family's marks is of another family. */
    private static final class Foreign {
        // Phi-4 and Kimi K2: ChatML's first marker, but another one behind the role.
        static final List<String> CHATML = List.of("<|im_sep|>", "<|im_middle|>", "<|im_user|>");
    }

    /**
     * What is around messages.
     *
     * @param before parts before a message
     * @param after parts behind it, the first of which ends an answer
     * @param stops more tokens that end one, where the vocabulary has them
     * @param assistant the family's word for the model
     */
    private record Shape(List<String> before, List<String> after, List<String> stops, String assistant) {
        static final Shape CHATML = new Shape(
                List.of("<|im_start|>", "ROLE\n"), List.of("<|im_end|>", "\n"), List.of("<|endoftext|>"), "assistant");
        static final Shape GRANITE = new Shape(
                List.of("<|start_of_role|>", "ROLE", "<|end_of_role|>"),
                List.of("<|end_of_text|>", "\n"),
                List.of(),
                "assistant");
    }

    /** Parts before and behind a message. */
    record Turn(List<String> before, List<String> after) {}

    private final String word;
    private final List<String> marks;
    private final List<String> foreign;
    private final Shape shape;
    private final String note;

    TemplateFamily(String word, List<String> marks, List<String> foreign, Shape shape, String note) {
        this.word = word;
        this.marks = marks;
        this.foreign = foreign;
        this.shape = shape;
        this.note = note;
    }

    /** The family's name on a command line. */
    String word() {
        return word;
    }

    /** What its own template does and a signed one does not; may be empty. */
    String note() {
        return note;
    }

    static Optional<TemplateFamily> of(String jinja) {
        for (TemplateFamily family : values()) {
            if (family.marks.stream().allMatch(jinja::contains)
                    && family.foreign.stream().noneMatch(jinja::contains)) {
                return Optional.of(family);
            }
        }
        return Optional.empty();
    }

    static Optional<TemplateFamily> named(String word) {
        for (TemplateFamily family : values()) {
            if (family.word.equals(word)) {
                return Optional.of(family);
            }
        }
        return Optional.empty();
    }

    static boolean isMarker(String part) {
        return part.startsWith("<") && part.endsWith(">");
    }

    /** What is around messages of each role. */
    Map<String, Turn> turns(String jinja) {
        Map<String, Turn> turns = new LinkedHashMap<>();
        if (system(jinja) == ChatTemplate.Instructions.ROLE) {
            turns.put("system", turn("system"));
        }
        turns.put("user", turn("user"));
        turns.put("assistant", turn(shape.assistant));
        tool(jinja).ifPresent(tool -> turns.put("tool", tool));
        return turns;
    }

    /** Parts before the answer. */
    List<String> generation() {
        return before(shape.assistant);
    }

    String end() {
        return shape.after.getFirst();
    }

    List<String> stops() {
        return shape.stops;
    }

    /** Whether a token is around messages already, so that it does not begin a text as well. */
    boolean marks(String token) {
        return shape.before.contains(token) || shape.after.contains(token);
    }

    ChatTemplate.Instructions system(String jinja) {
        if (this != GEMMA3) {
            return ChatTemplate.Instructions.ROLE;
        }
        // Gemma 1 and 2 refuse instructions; Gemma 3 writes them before the first question.
        return jinja.contains("System role not supported")
                ? ChatTemplate.Instructions.NONE
                : ChatTemplate.Instructions.FIRST_USER;
    }

    /** What is around a tool's result, where the family has a way of its own; else it is the user's turn. */
    private Optional<Turn> tool(String jinja) {
        return switch (this) {
            case QWEN -> Optional.of(inUserTurn("user\n<tool_response>\n"));
            case GRANITE4 -> Optional.of(inUserTurn("\n<tool_response>\n"));
            case GRANITE3 -> Optional.of(turn(jinja.contains("tool_response") ? "tool_response" : "tool"));
            case LLAMA3 -> jinja.contains("ipython") ? Optional.of(turn("ipython")) : Optional.empty();
            case SMOLLM3, SMOLLM2, CHATML, GEMMA3, PHI3 -> Optional.empty();
        };
    }

    private Turn inUserTurn(String opening) {
        List<String> before = new ArrayList<>(before("user"));
        if (before.getLast().equals("user\n")) {
            before.removeLast();
        }
        before.add(opening);
        List<String> after = new ArrayList<>(List.of("\n</tool_response>"));
        after.addAll(shape.after);
        return new Turn(before, after);
    }

    private Turn turn(String role) {
        return new Turn(before(role), shape.after);
    }

    private List<String> before(String role) {
        return shape.before.stream().map(part -> part.replace("ROLE", role)).toList();
    }
}
