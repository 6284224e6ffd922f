package ds.bench;

import ds.api.DType;
import java.util.List;
import java.util.Map;

/**
 * Which collectives are measured, and how long.
 *
 * @param operations in turn, for each size
 * @param bytes of the whole buffer
 * @param dtype of its elements
 * @param warmUpSeconds for which each operation is called on each size before anything is timed: Java code is fast once it
 *     is compiled
 * @param repeats timings, of which the median is told; each is of as many calls as take {@code seconds}
 * @param seconds of one timing, at least one call
 * @param communicator name of a provider
 * @param options of the provider
 */
public record CommSetup(
        List<Collective> operations,
        List<Long> bytes,
        DType dtype,
        double warmUpSeconds,
        int repeats,
        double seconds,
        String communicator,
        Map<String, ?> options) {
    /** Copies the lists; rejects counts below 1. */
    public CommSetup {
        operations = List.copyOf(operations);
        bytes = List.copyOf(bytes);
        options = Map.copyOf(options);
        StepSetup.positive("--repeats", repeats);
        positive("--warm-up", warmUpSeconds);
        positive("--seconds", seconds);
    }

    private static void positive(String option, double seconds) {
        if (!(seconds > 0 && seconds < 3600)) {
            throw new IllegalArgumentException(option + " = " + seconds + ": must be a positive number of seconds");
        }
    }

    /** Rejects sizes that are not a shard of whole elements for each rank. */
    void check(int ranks) {
        long unit = (long) dtype.byteSize() * ranks;
        for (long size : bytes) {
            if (size < unit || size % unit != 0) {
                throw new IllegalArgumentException("--bytes = " + size + ": must be a multiple of " + unit + ", one "
                        + dtype + " for each of " + ranks + " ranks; use " + Math.max(1, size / unit) * unit);
            }
        }
    }
}
