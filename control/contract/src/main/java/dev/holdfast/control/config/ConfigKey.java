package dev.holdfast.control.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.Optional;
import java.util.Set;

/**
 * One key of the configuration. Only {@link ConfigKeys} makes them.
 *
 * @param name as it is written in the file
 * @param section what it is about
 * @param form what values it takes
 * @param fallback the value where the file has none; empty where {@code otherwise} says in words what holds then
 * @param otherwise what holds where the file has no value and there is none by default; empty where {@code fallback} or {@code required}
 * @param required who refuses to start without it
 * @param readers who reads it
 * @param atReload whether a daemon that runs takes another value at SIGHUP; else it waits for a restart
 * @param meaning one or more sentences, without Markdown but for code in backquotes
 * @param <T> what a value means
 */
public record ConfigKey<T>(
        String name,
        Section section,
        ValueForm<T> form,
        Optional<JsonNode> fallback,
        String otherwise,
        Set<ConfigReader> required,
        Set<ConfigReader> readers,
        boolean atReload,
        String meaning) {
    public ConfigKey {
        if (fallback.isEmpty() && otherwise.isEmpty() && required.isEmpty()) {
            throw new IllegalArgumentException(name + " does not say what holds without it");
        }
        if (readers.isEmpty() || !readers.containsAll(required) || meaning.isEmpty()) {
            throw new IllegalArgumentException(name + " does not say who reads it, or what it means");
        }
    }

    /** A key that lacks its default and its meaning. */
    record Draft<T>(String name, Section section, ValueForm<T> form, Set<ConfigReader> readers, boolean reloaded) {
        /** Taken at SIGHUP. */
        Draft<T> atReload() {
            return new Draft<>(name, section, form, readers, true);
        }

        ConfigKey<T> required(ConfigReader by, String meaning) {
            return key(Optional.empty(), "", Set.of(by), meaning);
        }

        ConfigKey<T> otherwise(String words, String meaning) {
            return key(Optional.empty(), words, Set.of(), meaning);
        }

        ConfigKey<T> fallback(String text, String meaning) {
            return key(Optional.of(TextNode.valueOf(text)), "", Set.of(), meaning);
        }

        ConfigKey<T> fallback(long number, String meaning) {
            return key(Optional.of(LongNode.valueOf(number)), "", Set.of(), meaning);
        }

        ConfigKey<T> fallback(boolean flag, String meaning) {
            return key(Optional.of(BooleanNode.valueOf(flag)), "", Set.of(), meaning);
        }

        private ConfigKey<T> key(
                Optional<JsonNode> fallback, String otherwise, Set<ConfigReader> required, String meaning) {
            return ConfigKeys.add(new ConfigKey<>(
                    name, section, form, fallback, otherwise, required, readers, reloaded, meaning.strip()));
        }
    }

    /** What holds without it, for a person: a value as TOML has it, or words. */
    public String defaultWords() {
        if (fallback.isPresent()) {
            return toml(fallback.get());
        }
        return required.isEmpty()
                ? otherwise
                : "required by the " + required.iterator().next();
    }

    /** A value as TOML writes it. Other types than Holdfast's come out as JSON. */
    static String toml(JsonNode value) {
        // A basic string of TOML escapes as one of JSON does.
        return value.toString();
    }
}
