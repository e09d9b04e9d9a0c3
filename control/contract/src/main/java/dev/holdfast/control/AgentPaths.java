package dev.holdfast.control;

/** The paths of the agent's control socket. */
public final class AgentPaths {
    /** GET: what the agent says of itself. */
    public static final String STATUS = "/v1/status";
    /** GET: what there is in the TEE. */
    public static final String TEE = "/v1/tee";
    /** GET: every step of every install. */
    public static final String HISTORY = "/v1/history";
    /** GET: numbers for the operator's monitoring, in Prometheus' text format. */
    public static final String METRICS = "/metrics";
    /** POST {@link ReasonRequest}: takes no updates until {@link #RESUME}. */
    public static final String PAUSE = "/v1/pause";
    /** POST {@link ReasonRequest}: takes updates again. */
    public static final String RESUME = "/v1/resume";
    /** POST {@link ReasonRequest}: goes back to the model before. */
    public static final String ROLLBACK = "/v1/rollback";
    /** POST {@link ReasonRequest}: the machine goes down; waits a few seconds until the fleet asked for evidence and got it. */
    public static final String LEAVE = "/v1/leave";
    /** GET with {@value #NONCE}: {@link ChallengeReply}. */
    public static final String ATTESTATION = "/v1/attestation";
    /** GET with {@value #BYTES} and an upgrade: the conversation of {@link BundleProtocol}. */
    public static final String INSTALL = "/v1/install";

    public static final String NONCE = "nonce";
    public static final String BYTES = "bytes";

    private AgentPaths() {}
}
