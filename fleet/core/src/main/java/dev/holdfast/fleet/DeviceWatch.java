package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.link.Evidence;

/** Who hears what devices send beside their questions. Calls come from the service's threads and must not block or throw. */
public interface DeviceWatch {
    /** Nobody. */
    DeviceWatch NONE = new DeviceWatch() {
        @Override
        public void evidence(String device, Evidence part) {}

        @Override
        public void reported(String device, JsonNode report) {}

        @Override
        public void online(String device) {}
    };

    /** A part of evidence came under the name of a device. Anybody who reaches the topic may send some. */
    void evidence(String device, Evidence part);

    /** An enrolled device said something of itself. */
    void reported(String device, JsonNode report);

    /** An enrolled device is at the broker again. */
    void online(String device);
}
