package ds.bench.measure;

import java.util.Arrays;

/** What is said of several timings. */
public final class Statistics {
    private Statistics() {}

    /** {@return the middle one, or the mean of the two in the middle} */
    public static double median(double... values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
    }
}
