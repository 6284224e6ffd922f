package ds.zero.timing;

import java.util.Arrays;

/** Stretches of time that do not overlap, in their order: {@link System#nanoTime}. */
final class Intervals {
    private long[] starts = new long[16];
    private long[] ends = new long[16];
    private int count;

    void clear() {
        count = 0;
    }

    /** Adds one that begins no earlier than any before it; where it overlaps the last one both become one. */
    void add(long start, long end) {
        if (end - start <= 0) {
            return;
        }
        if (count > 0 && start - ends[count - 1] <= 0) {
            ends[count - 1] = Math.max(ends[count - 1], end);
            return;
        }
        if (count == starts.length) {
            starts = Arrays.copyOf(starts, 2 * count);
            ends = Arrays.copyOf(ends, 2 * count);
        }
        starts[count] = start;
        ends[count] = end;
        count++;
    }

    /** {@return nanoseconds in all} */
    long total() {
        long sum = 0;
        for (int i = 0; i < count; i++) {
            sum += ends[i] - starts[i];
        }
        return sum;
    }

    /** {@return nanoseconds that are in both} */
    long common(Intervals other) {
        long sum = 0;
        for (int i = 0, j = 0; i < count && j < other.count; ) {
            sum += Math.max(0, Math.min(ends[i], other.ends[j]) - Math.max(starts[i], other.starts[j]));
            if (ends[i] < other.ends[j]) {
                i++;
            } else {
                j++;
            }
        }
        return sum;
    }
}
