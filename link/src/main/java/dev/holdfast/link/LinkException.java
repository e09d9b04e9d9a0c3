package dev.holdfast.link;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.CodedFailure;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.net.UnknownHostException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** Why the broker is not reached, or did not do what was asked of it, with the code of that cause and no other. */
public final class LinkException extends IOException implements CodedFailure {
    private static final long serialVersionUID = 1L;

    /** Section 3.2.2.2, of CONNECT with a will: what the broker lacks, which its CONNACK does not tell yet. */
    private static final int NO_RETAIN = 0x9a;

    private static final int NO_QOS_1 = 0x9b;

    private final Code code;
    private final boolean refusesWill;

    LinkException(Code code, String detail) {
        this(code, detail, null);
    }

    LinkException(Code code, String detail, @Nullable Throwable cause) {
        this(code, detail, cause, false);
    }

    private LinkException(Code code, String detail, @Nullable Throwable cause, boolean refusesWill) {
        // Part of it may be the broker's own words.
        super(new Rejection(code, detail).detail(), cause);
        this.code = code;
        this.refusesWill = refusesWill;
    }

    /** Whether another attempt must come with a will that asks less of the broker. */
    boolean refusesWill() {
        return refusesWill;
    }

    /** One that passes on why a link is down. */
    public static LinkException of(Rejection why) {
        return new LinkException(why.code(), why.detail());
    }

    /** What a failure of the socket means, by the layer where it was met. */
    static LinkException of(IOException failure) {
        return switch (failure) {
            case LinkException known -> known;
            case SSLException tls -> handshake(tls);
            case UnknownHostException host ->
                new LinkException(Code.LNK_DOWN, "no address is known of " + host.getMessage(), host);
            default -> new LinkException(Code.LNK_DOWN, String.valueOf(failure.getMessage()), failure);
        };
    }

    /**
     * What a failure means after the handshake and before CONNACK. A broker of TLS 1.3 that does not take the client's certificate says so
     * by an alert, which the end of the connection may overtake.
     */
    static LinkException unanswered(IOException failure) {
        LinkException plain = of(failure);
        return plain.code != Code.LNK_DOWN
                ? plain
                : new LinkException(
                        Code.LNK_TLS,
                        "the broker ended the connection after the handshake without a word, as brokers do that miss the"
                                + " client's certificate or refuse it: " + failure.getMessage(),
                        failure);
    }

    /** What the JDK's checks of the broker's certificate mean, by the kinds of their causes; and the broker's alert about ours. */
    private static LinkException handshake(SSLException tls) {
        for (Throwable each = tls; each != null; each = each.getCause()) {
            switch (each) {
                case LinkException known -> {
                    return known;
                }
                case CertificateExpiredException _, CertificateNotYetValidException _ -> {
                    return new LinkException(
                            Code.LNK_EXPIRED,
                            "the broker's certificate, by this machine's clock: " + each.getMessage(),
                            tls);
                }
                case CertPathBuilderException _ -> {
                    return new LinkException(
                            Code.LNK_UNTRUSTED,
                            "none of the authorities that count here signed the broker's certificate",
                            tls);
                }
                case CertificateException bare
                when bare.getClass() == CertificateException.class && bare.getCause() == null -> {
                    return new LinkException(Code.LNK_HOST, String.valueOf(bare.getMessage()), tls);
                }
                default -> {}
            }
        }
        String said = String.valueOf(tls.getMessage());
        return said.endsWith("certificate_expired")
                ? new LinkException(Code.LNK_EXPIRED, "the broker takes the client's certificate for expired", tls)
                : new LinkException(Code.LNK_TLS, said, tls);
    }

    @Override
    public Rejection rejection() {
        return new Rejection(code, String.valueOf(getMessage()));
    }

    /** The wait was interrupted, because the process or the link ends. */
    static LinkException interrupted() {
        Thread.currentThread().interrupt();
        return new LinkException(Code.LNK_DOWN, "the link is being closed");
    }

    /** What a broker means by a reason code of MQTT 5.0 section 2.4, {@code what} it was the answer to. */
    static LinkException refused(String what, int reason, String said) {
        return new LinkException(
                switch (reason) {
                    case 0x8e -> Code.LNK_TAKEN_OVER;
                    case 0x86, 0x87, 0x8a, 0x8c -> Code.LNK_DENIED;
                    case 0x81, 0x82, 0x84, 0x90, 0x93, 0x94, 0x95, 0x99 -> Code.LNK_PROTOCOL;
                    case 0x80, 0x83, 0x85, 0x8f, 0x9a, 0x9b, 0x9e, 0xa1, 0xa2 -> Code.LNK_DENIED;
                    default -> Code.LNK_DOWN;
                },
                explained(what, reason, said));
    }

    /** What it means by the reason code of CONNACK. */
    static LinkException refusedConnect(int reason, String said) {
        String what = "the broker refuses the connection";
        return reason == NO_RETAIN || reason == NO_QOS_1
                ? new LinkException(Code.LNK_LIMIT, explained(what + " for its last will", reason, said), null, true)
                : refused(what, reason, said);
    }

    /** The broker does not let this user in. */
    static LinkException login(int reason, String said) {
        return new LinkException(
                Code.LNK_LOGIN, explained("the broker refuses the user name or its password", reason, said));
    }

    private static String explained(String what, int reason, String said) {
        return what + ": reason 0x%02x %s".formatted(reason, meaning(reason)) + (said.isEmpty() ? "" : ", " + said);
    }

    private static String meaning(int reason) {
        return switch (reason) {
            case 0x00 -> "(normal)";
            case 0x81 -> "(malformed packet)";
            case 0x82 -> "(protocol error)";
            case 0x84 -> "(MQTT 5 is not spoken)";
            case 0x85 -> "(client id not valid)";
            case 0x86 -> "(bad user name or password)";
            case 0x87 -> "(not authorized)";
            case 0x88 -> "(server unavailable)";
            case 0x89 -> "(server busy)";
            case 0x8a -> "(banned)";
            case 0x8b -> "(server is shutting down)";
            case 0x8d -> "(keep-alive timeout)";
            case 0x8e -> "(session taken over)";
            case 0x8f -> "(topic filter not valid)";
            case 0x95 -> "(packet too large)";
            case 0x97 -> "(quota exceeded)";
            case NO_RETAIN -> "(retain not supported)";
            case NO_QOS_1 -> "(QoS not supported)";
            default -> "(MQTT 5.0 section 2.4)";
        };
    }
}
