package dev.holdfast.link;

import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;

/**
 * Names of MQTT clients. A broker that gets a second client of the same name throws the first one off, so whoever can guess the name
 * can take over the connection: the last {@value #RANDOM_CHARS} characters are random and told to nobody but the broker.
 *
 * <pre>
 * cam7  Xk2p9  7hQw3zR4tB
 * |     |      random, 59 bits, new for each process
 * |     of SHA-256 over all names, so that two fleets' devices of one name differ
 * letters and digits of the last name, for whoever reads the broker's log
 * </pre>
 *
 * At most {@value #MAX_CHARS} letters and digits: what every broker must accept (MQTT 5.0 section 3.1.3.1, MQTT 3.1.1 the same).
 */
public final class ClientId {
    public static final int MAX_CHARS = 23;

    private static final int RANDOM_CHARS = 10;
    private static final int HASH_CHARS = 5;
    private static final int NAME_CHARS = MAX_CHARS - RANDOM_CHARS - HASH_CHARS;
    private static final String ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private static final SecureRandom RANDOM = new SecureRandom();

    private ClientId() {}

    /** A fresh name for one process, which is fleet {@code fleet}'s {@code name}. */
    public static String fresh(String fleet, String name) {
        StringBuilder id = new StringBuilder(MAX_CHARS);
        name.chars().filter(c -> ALPHABET.indexOf(c) >= 0).limit(NAME_CHARS).forEach(c -> id.append((char) c));
        byte[] hash =
                Sha256.of((fleet + "/" + name).getBytes(StandardCharsets.UTF_8)).toArray();
        for (int i = 0; i < HASH_CHARS; i++) {
            id.append(ALPHABET.charAt((hash[i] & 0xff) % ALPHABET.length()));
        }
        for (int i = 0; i < RANDOM_CHARS; i++) {
            id.append(ALPHABET.charAt(RANDOM.nextInt(ALPHABET.length())));
        }
        return id.toString();
    }
}
