package ds.backend.cpu.core;

import ds.api.CoreKernels.Rows;
import ds.api.DType;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.vector.Bf16Kernel;
import ds.backend.cpu.vector.Lanes;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Kernels that move elements. */
public final class Copies {
    private Copies() {}

    /** Sets a part of the elements of {@code y}. */
    public static void fill(Part part, Tensor y, double value) {
        AnyElements to = AnyElements.of(y);
        if (Double.doubleToRawLongBits(value) == 0) { // not -0.0: zero bytes are zero in every type
            long size = y.dtype().byteSize();
            to.memory()
                    .asSlice(part.first() * size, (part.last() - part.first()) * size)
                    .fill((byte) 0);
            return;
        }
        float[] values = part.scratch().floats(0, Lanes.CHUNK);
        Arrays.fill(values, (float) value);
        for (long i = part.first(); i < part.last(); i += Lanes.CHUNK) {
            int n = (int) Math.min(Lanes.CHUNK, part.last() - i);
            if (to.floating()) {
                to.write(values, i, n);
            } else {
                for (int j = 0; j < n; j++) {
                    to.set(i + j, value);
                }
            }
        }
    }

    /** {@code y[i] = x[i]} for a part of the elements. */
    public static void copy(Part part, Tensor x, Tensor y) {
        copy(part, AnyElements.of(x), part.first(), AnyElements.of(y), part.first(), part.last() - part.first());
    }

    /** Copies a part of the rows of {@link ds.api.CoreKernels#copyRows}. */
    public static void copyRows(Part part, Rows x, Rows y, long columns) {
        AnyElements from = AnyElements.of(x.tensor());
        AnyElements to = AnyElements.of(y.tensor());
        for (long i = part.first(); i < part.last(); i++) {
            copy(part, from, x.first() + i * x.stride(), to, y.first() + i * y.stride(), columns);
        }
    }

    private static void copy(Part part, AnyElements x, long firstX, AnyElements y, long firstY, long count) {
        if (x.dtype() == y.dtype()) {
            long size = x.dtype().byteSize();
            MemorySegment.copy(x.memory(), firstX * size, y.memory(), firstY * size, count * size);
        } else if (x.dtype() == DType.F32 && y.dtype() == DType.BF16) {
            Bf16Kernel.round(x.memory(), firstX, y.memory(), firstY, count);
        } else if (x.dtype() == DType.BF16 && y.dtype() == DType.F32) {
            Bf16Kernel.widen(x.memory(), firstX, y.memory(), firstY, count);
        } else if (!x.floating() && !y.floating()) {
            for (long i = 0; i < count; i++) {
                y.set(firstY + i, x.number(firstX + i));
            }
        } else {
            float[] chunk = part.scratch().floats(0, Lanes.CHUNK);
            for (long i = 0; i < count; i += Lanes.CHUNK) {
                int n = (int) Math.min(Lanes.CHUNK, count - i);
                x.read(firstX + i, chunk, n);
                y.write(chunk, firstY + i, n);
            }
        }
    }
}
