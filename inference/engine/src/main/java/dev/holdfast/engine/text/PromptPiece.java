package dev.holdfast.engine.text;

/**
 * A token of a prompt, for a person who looks at how a conversation is written.
 *
 * @param id the token
 * @param text what it stands for, with control characters spelled out
 * @param literal whether the template wrote it; else it is content
 * @param role of which message it is; empty before the first one and for what begins the answer
 */
public record PromptPiece(int id, String text, boolean literal, String role) {}
