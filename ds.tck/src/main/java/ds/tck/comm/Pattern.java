package ds.tck.comm;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.comm.ReduceOp;
import java.lang.foreign.MemorySegment;
import java.util.stream.IntStream;

/**
 * Values that differ by rank and element, whose sums are rounded: another order of summation gives other bits. The oracle
 * works on Java arrays, with the arithmetic of each type written out.
 */
final class Pattern {
    private Pattern() {}

    /** {@return {@code [count]} values of a rank: about ±2 with seven digits, and whole numbers for I32} */
    static Tensor of(HostTensors memory, DType dtype, int count, int rank) {
        Tensor tensor = memory.zeros(dtype, count);
        float[] values = values(count, rank);
        for (int i = 0; i < count; i++) {
            HostTensors.set(tensor, i, dtype == DType.I32 ? Math.round(values[i] * 1e6) : values[i]);
        }
        return tensor;
    }

    private static float[] values(int count, int rank) {
        float[] values = new float[count];
        int state = 0x9e3779b9 * (rank + 1);
        for (int i = 0; i < count; i++) {
            state = state * 1664525 + 1013904223; // Numerical Recipes' generator
            values[i] = (state >> 8) * 0x1p-22f;
        }
        return values;
    }

    /** {@return the F32 sum of the patterns of these ranks, in their order} */
    static Tensor sum(HostTensors memory, int count, int... ranks) {
        float[] sum = values(count, ranks[0]);
        for (int r = 1; r < ranks.length; r++) {
            float[] other = values(count, ranks[r]);
            for (int i = 0; i < count; i++) {
                sum[i] += other[i];
            }
        }
        Tensor tensor = memory.zeros(DType.F32, count);
        tensor.host().copyFrom(MemorySegment.ofArray(sum));
        return tensor;
    }

    /** {@return what the ranks' patterns give} */
    static Tensor combined(HostTensors memory, DType dtype, int count, int worldSize, ReduceOp op) {
        Tensor result = memory.zeros(dtype, count);
        Tensor[] inputs = IntStream.range(0, worldSize)
                .mapToObj(rank -> of(memory, dtype, count, rank))
                .toArray(Tensor[]::new);
        for (int i = 0; i < count; i++) {
            double first = HostTensors.get(inputs[0], i);
            double wide = first;
            float single = (float) first;
            double largest = first;
            for (int rank = 1; rank < worldSize; rank++) {
                double value = HostTensors.get(inputs[rank], i);
                wide += value;
                single += (float) value;
                largest = Math.max(largest, value);
            }
            double sum = dtype == DType.F64 || dtype == DType.I32 ? wide : single;
            HostTensors.set(result, i, op == ReduceOp.MAX ? largest : sum);
        }
        return result;
    }

    /** Compares all bits. */
    static void assertSame(Tensor expected, Tensor actual, String what) {
        long at = expected.host().mismatch(actual.host());
        if (at >= 0) {
            long i = at / expected.dtype().byteSize();
            assertEquals(HostTensors.get(expected, i), HostTensors.get(actual, i), what + ": element " + i);
            throw new AssertionError(what + ": element " + i + " differs in its bits");
        }
    }
}
