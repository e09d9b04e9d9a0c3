package dev.holdfast.trust.signing;

import dev.holdfast.trust.schema.RootDocument;

/** Whoever signs for each role of a repository. */
public record RoleSigners(
        RoleSigner root, RoleSigner targets, RoleSigner snapshot, RoleSigner timestamp, RoleSigner director) {
    /** The public half, as a root names it. */
    public RootDocument.Roles roles() {
        return new RootDocument.Roles(root.role(), targets.role(), snapshot.role(), timestamp.role(), director.role());
    }
}
