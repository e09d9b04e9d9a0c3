package dev.holdfast.control.config;

/** What keys are about, in the order in which people read of them. */
public enum Section {
    NAMES("Names"),
    BROKER("The way to the fleet"),
    FILES("Files and sockets"),
    TRUST("The root of trust"),
    UPDATES("Updates"),
    INFERENCE("Inference"),
    LOGS("Logs");

    private final String title;

    Section(String title) {
        this.title = title;
    }

    @Override
    public String toString() {
        return title;
    }
}
