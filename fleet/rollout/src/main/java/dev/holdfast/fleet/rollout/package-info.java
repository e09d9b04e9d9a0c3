/**
 * Rollouts: a release goes out ring by ring, and a ring opens when the one before it has shown what its gate asks for: that enough devices
 * took the release, that few failed, and that what they say is proved by evidence.
 */
@NullMarked
package dev.holdfast.fleet.rollout;

import org.jspecify.annotations.NullMarked;
