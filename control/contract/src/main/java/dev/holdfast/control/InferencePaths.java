package dev.holdfast.control;

/** The paths of the inference process: its control socket, which the agent alone may use, and what the agent asks of the other. */
public final class InferencePaths {
    /** GET: {@link InferenceStatus}. */
    public static final String STATUS = "/control/v1/status";
    /** GET: {@link LogLines}. */
    public static final String LOG = "/control/v1/log";
    /** POST: a {@link Slot} becomes the candidate; {@link GateReport}. */
    public static final String CANDIDATE = "/control/v1/candidate";
    /** POST {@link SlotRequest}: the candidate serves; {@link Flip}. */
    public static final String FLIP = "/control/v1/flip";
    /** POST {@link SlotRequest}: the candidate is unloaded. */
    public static final String DISCARD = "/control/v1/discard";
    /** POST {@link ServingSet}: every other model is unloaded. */
    public static final String KEEP = "/control/v1/keep";
    /** POST: a {@link Slot} in its grace is loaded, to answer to its pinned name; {@link GateReport}. */
    public static final String GRACE = "/control/v1/grace";
    /** GET, waits: {@link Challenges}. */
    public static final String CHALLENGES = "/control/v1/challenges";
    /** POST: {@link ChallengeReply}. */
    public static final String EVIDENCE = "/control/v1/evidence";

    /** GET on the applications' socket: whether a model serves. */
    public static final String HEALTH = "/healthz";
    /** GET on the applications' socket: the models in service. */
    public static final String MODELS = "/v1/models";
    /** POST on the applications' socket: a conversation to continue. */
    public static final String CHAT = "/v1/chat/completions";

    /**
     * Header of a request that the bridge passes on: whoever runs the bridge, its callers have the rights of an ordinary user. Who sends it
     * without being the bridge gives up rights and gets none.
     */
    public static final String OF_THE_BRIDGE = "Holdfast-Bridge";

    private InferencePaths() {}
}
