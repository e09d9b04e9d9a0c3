/**
 * What the commands show to people, and how they end. Text and JSON come from one model: a command makes the JSON, and the text is laid
 * out from it. Only a terminal gets colour, a width and lines that are drawn anew; a file or a pipe gets plain lines, whole.
 */
@NullMarked
package dev.holdfast.terminal;

import org.jspecify.annotations.NullMarked;
