package ds.bench;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Shape;
import ds.api.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A tensor in host memory without a backend, and the values that a benchmark puts there. Owns its memory. */
final class HostMemory implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final Tensor tensor;

    /** Allocates zeros. */
    HostMemory(DType dtype, long elements) {
        MemorySegment memory = arena.allocate(elements * dtype.byteSize(), 64);
        tensor = new Tensor(new HostBuffer(memory), dtype, Shape.of(elements));
    }

    Tensor tensor() {
        return tensor;
    }

    /** Writes small whole numbers, which every type holds exactly. */
    static void set(Tensor tensor, long index, int value) {
        MemorySegment memory = tensor.host();
        switch (tensor.dtype()) {
            case F32 -> memory.setAtIndex(ValueLayout.JAVA_FLOAT, index, value);
            case F64 -> memory.setAtIndex(ValueLayout.JAVA_DOUBLE, index, value);
            case I32 -> memory.setAtIndex(ValueLayout.JAVA_INT, index, value);
            case F16 -> memory.setAtIndex(ValueLayout.JAVA_SHORT, index, Float.floatToFloat16(value));
            case BF16 ->
                memory.setAtIndex(ValueLayout.JAVA_SHORT, index, (short) (Float.floatToRawIntBits(value) >>> 16));
        }
    }

    static double get(Tensor tensor, long index) {
        MemorySegment memory = tensor.host();
        return switch (tensor.dtype()) {
            case F32 -> memory.getAtIndex(ValueLayout.JAVA_FLOAT, index);
            case F64 -> memory.getAtIndex(ValueLayout.JAVA_DOUBLE, index);
            case I32 -> memory.getAtIndex(ValueLayout.JAVA_INT, index);
            case F16 -> Float.float16ToFloat(memory.getAtIndex(ValueLayout.JAVA_SHORT, index));
            case BF16 -> Float.intBitsToFloat(memory.getAtIndex(ValueLayout.JAVA_SHORT, index) << 16);
        };
    }

    @Override
    public void close() {
        arena.close();
    }

    private record HostBuffer(MemorySegment host) implements Buffer {
        @Override
        public Device device() {
            return Device.HOST;
        }

        @Override
        public long byteSize() {
            return host.byteSize();
        }

        @Override
        public String label() {
            return "benchmark";
        }

        @Override
        public long address() {
            return host.address();
        }

        @Override
        public void close() {} // the arena is the owner
    }
}
