/**
 * The configuration of a device: {@code holdfast.toml} and its drop-ins. {@link ConfigKeys} lists every key there is, with type, range,
 * default and meaning; nothing reads a key in another way, so none exists without its description. What people are shown is made from
 * the same list ({@link ConfigReference}).
 */
@NullMarked
package dev.holdfast.control.config;

import org.jspecify.annotations.NullMarked;
