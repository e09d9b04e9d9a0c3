/**
 * The binding of SLF4J: text for people, JSON for collectors, or entries of the systemd journal with fields (<a
 * href="https://systemd.io/JOURNAL_NATIVE_PROTOCOL/">Native Journal Protocol</a>). All forms say the same of a line: when, how bad, who says
 * it, the message, and where there is one its code and its subject.
 */
@NullMarked
package dev.holdfast.log;

import org.jspecify.annotations.NullMarked;
