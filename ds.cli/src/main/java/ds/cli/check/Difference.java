package ds.cli.check;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** How far a tensor is from the expected one; both F32. */
final class Difference {
    private double largest;
    private double magnitude;
    private double squares;
    private double expectedSquares;

    /** Compares further elements; a NaN on either side makes every figure NaN. */
    void add(MemorySegment expected, MemorySegment actual) {
        long elements = actual.byteSize() / Float.BYTES;
        for (long i = 0; i < elements; i++) {
            double e = expected.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i);
            double difference = actual.getAtIndex(ValueLayout.JAVA_FLOAT, i) - e;
            largest = Math.max(largest, Math.abs(difference));
            magnitude = Math.max(magnitude, Math.abs(e));
            squares += difference * difference;
            expectedSquares += e * e;
        }
    }

    /** {@return the largest difference, relative to the largest magnitude expected} */
    double relative() {
        return largest == 0 ? 0 : largest / magnitude;
    }

    /** {@return the root mean square of the difference, relative to that of what is expected} */
    double relativeRms() {
        return squares == 0 ? 0 : Math.sqrt(squares / expectedSquares);
    }
}
