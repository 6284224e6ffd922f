package ds.api;

import java.util.Map;

/**
 * What a backend holds, by the labels given to {@link TensorBackend#allocate}.
 *
 * @param labels by label, sorted
 * @param liveBytes sum over all labels now
 * @param peakBytes largest value that the sum has had; at most the sum of the labels' peaks
 */
public record MemoryUse(Map<String, Label> labels, long liveBytes, long peakBytes) {
    /** Nothing. */
    public static final MemoryUse NONE = new MemoryUse(Map.of(), 0, 0);

    /**
     * One label.
     *
     * @param liveBytes allocated and not closed
     * @param peakBytes largest value of {@code liveBytes} so far
     */
    public record Label(long liveBytes, long peakBytes) {}

    /** Keeps an unmodifiable copy. */
    public MemoryUse {
        labels = java.util.Collections.unmodifiableMap(new java.util.TreeMap<>(labels));
    }
}
