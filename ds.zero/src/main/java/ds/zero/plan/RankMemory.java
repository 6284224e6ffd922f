package ds.zero.plan;

import ds.zero.config.RuntimeConfig;
import java.util.OptionalLong;

/**
 * What a rank may take in all, and what of that is left for tensors: {@code ds.memory_limit} without {@link #RESERVED_BYTES}.
 *
 * @param limitBytes of the process, page cache not counted; empty where there is no limit
 */
public record RankMemory(OptionalLong limitBytes) {
    /**
     * What a process takes beside its planned tensors: the Java machine, its heap, native libraries and their work memory. About
     * twice what was measured, as the largest resident set less the bytes that the backend counted: 163 MiB with GPT-2 of 124M
     * parameters on one rank ({@code ds bench step}, AVX-512), 137 MiB in a run with GPT-2's tokenizer, checkpoints and two ranks
     * over TCP. Where the CPU backend must convert factors of products, it takes up to 48 MiB more.
     */
    public static final long RESERVED_BYTES = 320L << 20;

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
