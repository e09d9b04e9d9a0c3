/**
 * The device daemon: it joins the fleet by MQTT, keeps the trusted metadata fresh, installs what the Director orders,
 * measures and attests it, and answers the {@code holdfast} command on its control socket. It never parses a model.
 */
@NullMarked
package dev.holdfast.agent;

import org.jspecify.annotations.NullMarked;
