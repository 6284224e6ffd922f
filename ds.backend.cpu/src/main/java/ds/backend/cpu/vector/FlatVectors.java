package ds.backend.cpu.vector;

import ds.api.DType;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/**
 * The flat F32 tensors of an optimizer, vector by vector straight from memory to memory: through arrays of a chunk it would take twice
 * as long. What fills no vector goes through a small copy of itself, and so through the same loop: the same bits, wherever a part ends.
 */
final class FlatVectors {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    /** From a vector to the next. */
    static final int VECTOR_BYTES = Lanes.COUNT * Float.BYTES;

    private FlatVectors() {}

    /** What is computed on some whole vectors. A class of its own for each kernel, so that the loop inside is compiled for it. */
    @FunctionalInterface
    interface Body {
        /**
         * Computes in place.
         *
         * @param x the memory of each tensor
         * @param first byte
         * @param bytes a multiple of a vector's
         */
        void run(MemorySegment[] x, long first, int bytes);
    }

    /**
     * Runs a part.
     *
     * @param written how many of the tensors are written: the first ones
     * @param tensors F32, of equal size
     * @throws IllegalArgumentException if one has another type
     */
    static void run(Part part, int written, Tensor[] tensors, Body body) {
        MemorySegment[] memory = new MemorySegment[tensors.length];
        for (int k = 0; k < tensors.length; k++) {
            if (tensors[k].dtype() != DType.F32) {
                throw new IllegalArgumentException(tensors[k] + ": optimizers take F32 alone; copy it first");
            }
            memory[k] = tensors[k].host();
        }
        long whole = part.first() + Lanes.F32.loopBound(part.last() - part.first());
        for (long i = part.first(); i < whole; i += Lanes.CHUNK) {
            body.run(memory, i * Float.BYTES, (int) Math.min(Lanes.CHUNK, whole - i) * Float.BYTES);
        }
        if (whole < part.last()) {
            runFew(memory, written, whole, (int) (part.last() - whole), body);
        }
    }

    private static void runFew(MemorySegment[] memory, int written, long first, int n, Body body) {
        try (Arena arena = Arena.ofConfined()) { // not arrays: loops that have seen both kinds of memory are slower
            MemorySegment[] copies = new MemorySegment[memory.length];
            for (int k = 0; k < copies.length; k++) {
                copies[k] = arena.allocate(VECTOR_BYTES);
                MemorySegment.copy(memory[k], first * Float.BYTES, copies[k], 0, (long) n * Float.BYTES);
            }
            body.run(copies, 0, VECTOR_BYTES);
            for (int k = 0; k < written; k++) {
                MemorySegment.copy(copies[k], 0, memory[k], first * Float.BYTES, (long) n * Float.BYTES);
            }
        }
    }

    /** {@return the vector at a byte} */
    static FloatVector load(MemorySegment x, long at) {
        return FloatVector.fromMemorySegment(Lanes.F32, x, at, ORDER);
    }

    /** Writes the vector at a byte. */
    static void store(FloatVector v, MemorySegment x, long at) {
        v.intoMemorySegment(x, at, ORDER);
    }
}
