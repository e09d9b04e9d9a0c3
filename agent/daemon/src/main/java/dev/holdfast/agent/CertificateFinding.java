package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * What the doctor says of the device's certificate.
 *
 * @param valid whether it can be used
 * @param detail what was found
 */
record CertificateFinding(boolean valid, String detail) {
    static final String FIX =
            "the agent asks the fleet for one by itself while it is connected; a broker that lets in nobody without"
                    + " a certificate needs a listener for enrolment beside it";

    /** Reads {@link CertificateStore#status}. */
    static CertificateFinding of(JsonNode status) {
        String state = status.path("state").asText();
        String until = status.path("until").asText();
        String trusted = status.path("trusted").asText().equals("root")
                ? "an authority that the root names"
                : "an authority that was believed on first use, since the root names none";
        return switch (state) {
            case "valid" -> new CertificateFinding(true, "until " + until + ", of " + trusted);
            case "none" -> new CertificateFinding(false, "none yet");
            default -> new CertificateFinding(false, state.replace('-', ' ') + ", until " + until);
        };
    }

    /** Only a broker at {@code ssl://} asks for it. */
    Doctor.Outcome outcome(boolean tls) {
        return valid ? Doctor.Outcome.PASS : tls ? Doctor.Outcome.FAIL : Doctor.Outcome.WARN;
    }
}
