package ds.tck.comm;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Shape;
import ds.api.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Tensors in host memory for tests, without a backend; any thread may use them. Owns their memory. */
public final class HostTensors implements AutoCloseable {
    private final Arena arena = Arena.ofShared();

    /** Starts with no tensors. */
    public HostTensors() {}

    /** {@return a tensor of zeros; dead after {@link #close}} */
    public Tensor zeros(DType dtype, long... dims) {
        Shape shape = Shape.of(dims);
        MemorySegment memory = arena.allocate(shape.elements() * dtype.byteSize(), 64);
        return new Tensor(new HostBuffer(memory), dtype, shape);
    }

    /** {@return a tensor {@code [values.length]} of these values, rounded to {@code dtype}; dead after {@link #close}} */
    public Tensor of(DType dtype, double... values) {
        Tensor tensor = zeros(dtype, values.length);
        for (int i = 0; i < values.length; i++) {
            set(tensor, i, values[i]);
        }
        return tensor;
    }

    /** {@return the array as a tensor; it lives as long as it is reachable} */
    public static Tensor onHeap(float[] values) {
        return new Tensor(new HostBuffer(MemorySegment.ofArray(values)), DType.F32, Shape.of(values.length));
    }

    /** {@return one element, exactly} */
    public static double get(Tensor tensor, long index) {
        MemorySegment data = tensor.host();
        return switch (tensor.dtype()) {
            case F32 -> data.getAtIndex(ValueLayout.JAVA_FLOAT, index);
            case F64 -> data.getAtIndex(ValueLayout.JAVA_DOUBLE, index);
            case I32 -> data.getAtIndex(ValueLayout.JAVA_INT, index);
            case F16 -> Float.float16ToFloat(data.getAtIndex(ValueLayout.JAVA_SHORT, index));
            case BF16 -> Float.intBitsToFloat(data.getAtIndex(ValueLayout.JAVA_SHORT, index) << 16);
        };
    }

    /** Writes one element, rounded to F32 where the type is not wider, and from there to the type, to nearest even. */
    public static void set(Tensor tensor, long index, double value) {
        MemorySegment data = tensor.host();
        switch (tensor.dtype()) {
            case F32 -> data.setAtIndex(ValueLayout.JAVA_FLOAT, index, (float) value);
            case F64 -> data.setAtIndex(ValueLayout.JAVA_DOUBLE, index, value);
            case I32 -> data.setAtIndex(ValueLayout.JAVA_INT, index, (int) value);
            case F16 -> data.setAtIndex(ValueLayout.JAVA_SHORT, index, Float.floatToFloat16((float) value));
            case BF16 -> data.setAtIndex(ValueLayout.JAVA_SHORT, index, bfloat16((float) value));
        }
    }

    private static short bfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) ((bits >>> 16) | 0x40); // stays a NaN whatever bits are cut off
        }
        return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
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
            return "test";
        }

        @Override
        public long address() {
            return host.address();
        }

        @Override
        public void close() {} // the arena is the owner
    }
}
