package ds.api.spi;

/** Whether a provider can work on this machine. */
public sealed interface Availability {
    /**
     * It can.
     *
     * @param description what it found, such as a device's name or a library's version
     */
    record Available(String description) implements Availability {}

    /**
     * It cannot.
     *
     * @param reason what is missing and what would supply it
     */
    record Unavailable(String reason) implements Availability {}
}
