package ds.api;

import java.util.Objects;

/**
 * Where memory lives.
 *
 * @param type {@code "host"}, {@code "cuda"}, …: what a communicator or another backend has to understand to touch it
 * @param index which one of that type; 0 for the host
 */
public record Device(String type, int index) {
    /** Memory that the processor, and so any {@link java.lang.foreign.MemorySegment}, reaches directly. */
    public static final Device HOST = new Device("host", 0);

    /** Rejects a device without a type and a negative index. */
    public Device {
        Objects.requireNonNull(type, "type");
        if (index < 0) {
            throw new IllegalArgumentException("device index " + index + " of " + type + " is negative");
        }
    }

    @Override
    public String toString() {
        return equals(HOST) ? type : type + ":" + index;
    }
}
