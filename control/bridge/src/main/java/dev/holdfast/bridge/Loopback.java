package dev.holdfast.bridge;

import java.util.Arrays;
import java.util.List;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Where a bridge may listen. There is no other address: whoever wants one wants another program. */
enum Loopback {
    IPV4("127.0.0.1", "127.0.0.1"),
    IPV6("::1", "[::1]");

    private final String literal;
    private final String inUrl;

    Loopback(String literal, String inUrl) {
        this.literal = literal;
        this.inUrl = inUrl;
    }

    String literal() {
        return literal;
    }

    /** As it stands in a URL. */
    String inUrl() {
        return inUrl;
    }

    /** Reads the option of the command line. A name is no address: what {@code localhost} means is another file's choice. */
    static final class Converter implements ITypeConverter<Loopback> {
        @Override
        public Loopback convert(String text) {
            return Arrays.stream(values())
                    .filter(each -> each.literal.equals(text))
                    .findFirst()
                    .orElseThrow(() -> new TypeConversionException("must be one of "
                            + List.of(IPV4.literal, IPV6.literal) + ": a bridge is for programs of this machine"));
        }
    }
}
