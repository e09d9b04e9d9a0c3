package dev.holdfast.engine.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * How messages become a prompt: literals, which are tokens, around content, which is data. The template comes with the
 * signed metadata; it has no conditions, no loops and no code, and the one inside a model file is never looked at.
 *
 * @param bos literals before the first message
 * @param roles what is around a message of each role
 * @param generation literals behind the last message, after which the model answers
 * @param stop tokens that end an answer
 * @param system where instructions go
 */
public record ChatTemplate(
        List<String> bos, Map<String, Around> roles, List<String> generation, List<String> stop, Instructions system) {
    /** Where instructions go that have the role {@code system} or {@code developer}. */
    public enum Instructions {
        /** Into a turn of their own, of the role {@code system}. */
        ROLE("role"),
        /** In front of the first turn of the user. */
        FIRST_USER("first-user"),
        /** The model takes none; they are refused. */
        NONE("none");

        private final String word;

        Instructions(String word) {
            this.word = word;
        }

        /** Where the template does not say it: by the role, if it has that. */
        private static Instructions of(JsonNode node, Set<String> roles) throws RejectedException {
            if (node.isMissingNode()) {
                return byRoles(roles);
            }
            for (Instructions each : values()) {
                if (node.isTextual() && node.textValue().equals(each.word)) {
                    if (each == ROLE && !roles.contains("system")) {
                        throw new RejectedException(Code.WIRE_FIELD, "template.system names a role that is not there");
                    }
                    return each;
                }
            }
            throw new RejectedException(Code.WIRE_FIELD, "template.system is none of role, first-user and none");
        }

        private static Instructions byRoles(Set<String> roles) {
            return roles.contains("system") ? ROLE : FIRST_USER;
        }
    }

    static final int MAX_LITERALS = 16;
    private static final int MAX_LITERAL_CHARS = 64;
    private static final int MAX_ROLES = 16;

    /** Literals before and behind a message. */
    public record Around(List<String> before, List<String> after) {
        public Around {
            before = List.copyOf(before);
            after = List.copyOf(after);
        }
    }

    /** With instructions in a turn of their own, where there is a role for it. */
    public ChatTemplate(List<String> bos, Map<String, Around> roles, List<String> generation, List<String> stop) {
        this(bos, roles, generation, stop, Instructions.byRoles(roles.keySet()));
    }

    public ChatTemplate {
        bos = List.copyOf(bos);
        roles = Collections.unmodifiableMap(new LinkedHashMap<>(roles));
        generation = List.copyOf(generation);
        stop = List.copyOf(stop);
    }

    /** What {@link #read} reads. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object();
        bos.forEach(json.putArray("bos")::add);
        ObjectNode listed = json.putObject("roles");
        roles.forEach((name, around) -> {
            ObjectNode role = listed.putObject(name);
            around.before.forEach(role.putArray("before")::add);
            around.after.forEach(role.putArray("after")::add);
        });
        generation.forEach(json.putArray("generation")::add);
        stop.forEach(json.putArray("stop")::add);
        return json.put("system", system.word);
    }

    /** Reads the {@code template} object of a target's signed block. */
    public static Verdict<ChatTemplate> read(JsonNode node) {
        return Verdict.of(() -> {
            only(node, Set.of("bos", "roles", "generation", "stop", "system"));
            Map<String, Around> roles = new LinkedHashMap<>();
            JsonNode listed = node.path("roles");
            if (!listed.isObject() || listed.isEmpty() || listed.size() > MAX_ROLES) {
                throw new RejectedException(Code.WIRE_FIELD, "template.roles is not an object of 1 to 16 roles");
            }
            for (Map.Entry<String, JsonNode> role : listed.properties()) {
                only(role.getValue(), Set.of("before", "after"));
                roles.put(
                        role.getKey(),
                        new Around(literals(role.getValue(), "before"), literals(role.getValue(), "after")));
            }
            return new ChatTemplate(
                    literals(node, "bos"),
                    roles,
                    literals(node, "generation"),
                    literals(node, "stop"),
                    Instructions.of(node.path("system"), roles.keySet()));
        });
    }

    private static void only(JsonNode node, Set<String> names) throws RejectedException {
        if (!node.isObject()) {
            throw new RejectedException(Code.WIRE_FIELD, "template: an object is expected");
        }
        for (Iterator<String> it = node.fieldNames(); it.hasNext(); ) {
            String name = it.next();
            if (!names.contains(name)) {
                throw new RejectedException(Code.WIRE_FIELD, "template: unknown field " + name);
            }
        }
    }

    private static List<String> literals(JsonNode node, String name) throws RejectedException {
        JsonNode array = node.path(name);
        if (!array.isArray() || array.size() > MAX_LITERALS) {
            throw new RejectedException(Code.WIRE_FIELD, "template." + name + " is not an array of at most 16");
        }
        List<String> literals = new ArrayList<>();
        for (JsonNode literal : array) {
            if (!literal.isTextual()
                    || literal.textValue().isEmpty()
                    || literal.textValue().length() > MAX_LITERAL_CHARS) {
                throw new RejectedException(Code.WIRE_FIELD, "template." + name + " holds no literal");
            }
            literals.add(literal.textValue());
        }
        return literals;
    }
}
