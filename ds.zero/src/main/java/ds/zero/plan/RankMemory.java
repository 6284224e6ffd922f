package ds.zero.plan;

import ds.zero.config.RuntimeConfig;
import java.util.OptionalLong;

/**
 * What a rank may take in all, and what of that is left for tensors: {@code ds.memory_limit} without {@link #RESERVED_BYTES}.
 *
 * @param limitBytes of the process, page cache not counted; empty where there is no limit
 */
public record RankMemory(OptionalLong limitBytes) {
    /** What a process takes beside its planned tensors: the Java machine, its heap, native libraries and their work memory. */
    public static final long RESERVED_BYTES = 384L << 20;

    /** {@return the limit of a configuration} */
    public static RankMemory of(RuntimeConfig config) {
        return new RankMemory(config.memoryLimitBytes());
    }

    /** {@return whether so many bytes of tensors may be live at once} */
    public boolean fits(long peakBytes) {
        return limitBytes.isEmpty() || needed(peakBytes) <= limitBytes.getAsLong();
    }

    /** {@return what a process with so many bytes of tensors takes at most} */
    public static long needed(long peakBytes) {
        return Math.addExact(peakBytes, RESERVED_BYTES);
    }
}
