package ds.backend.cpu.vector;

import ds.api.DType;
import ds.api.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The elements of a tensor as a kernel reads and writes them: its memory, looked up once per part.
 *
 * @param memory borrowed
 * @param dtype F32, BF16 or F16
 */
public record Elements(MemorySegment memory, DType dtype) {
    /** {@return the elements of a tensor} */
    public static Elements of(Tensor tensor) {
        return new Elements(tensor.host(), tensor.dtype());
    }

    /**
     * Brings {@code n} elements into {@code to[at ..]} as F32, and fills up the last vector with zeros.
     *
     * @param first element of the tensor
     * @param to at least {@code at + Lanes.padded(n)} elements
     */
    public void read(long first, float[] to, int at, int n) {
        Lanes.read(memory, dtype, first, to, at, n);
        Arrays.fill(to, at + n, at + Lanes.padded(n), 0f);
    }

    /** Writes {@code n} elements {@code from[at ..]}, rounded to nearest even. */
    public void write(float[] from, int at, long first, int n) {
        Lanes.write(from, at, memory, dtype, first, n);
    }
}
