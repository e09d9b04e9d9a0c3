/** From text to tokens and back: tokenizers, chat templates, prompts. Text never yields a control token. */
@NullMarked
package dev.holdfast.engine.text;

import org.jspecify.annotations.NullMarked;
