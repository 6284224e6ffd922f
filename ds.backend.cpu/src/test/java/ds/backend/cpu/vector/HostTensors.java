package ds.backend.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.Bf16;
import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Shape;
import ds.api.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;

/** Tensors in plain host memory for tests, read and written one element at a time. Closes what it made. */
final class HostTensors implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final Random random;

    HostTensors(long seed) {
        this.random = new Random(seed);
    }

    Tensor zeros(DType dtype, long... dims) {
        Shape shape = Shape.of(dims);
        return new Tensor(new HostBuffer(arena.allocate(shape.elements() * dtype.byteSize(), 64)), dtype, shape);
    }

    /** Normal numbers with standard deviation {@code scale}, as the type holds them. */
    Tensor normal(DType dtype, double scale, long... dims) {
        Tensor tensor = zeros(dtype, dims);
        for (long i = 0; i < tensor.elements(); i++) {
            set(tensor, i, (float) (random.nextGaussian() * scale));
        }
        return tensor;
    }

    /** Integers in [0, bound). */
    Tensor integers(int bound, long... dims) {
        Tensor tensor = zeros(DType.I32, dims);
        for (long i = 0; i < tensor.elements(); i++) {
            tensor.host().setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt(bound));
        }
        return tensor;
    }

    static float get(Tensor tensor, long i) {
        MemorySegment host = tensor.host();
        return switch (tensor.dtype()) {
            case F32 -> host.getAtIndex(ValueLayout.JAVA_FLOAT, i);
            case BF16 -> Float.intBitsToFloat(host.getAtIndex(ValueLayout.JAVA_SHORT, i) << 16);
            case F16 -> Float.float16ToFloat(host.getAtIndex(ValueLayout.JAVA_SHORT, i));
            case I32 -> host.getAtIndex(ValueLayout.JAVA_INT, i);
            case F64 -> (float) host.getAtIndex(ValueLayout.JAVA_DOUBLE, i);
        };
    }

    static void set(Tensor tensor, long i, float value) {
        MemorySegment host = tensor.host();
        switch (tensor.dtype()) {
            case F32 -> host.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
            case BF16 -> host.setAtIndex(ValueLayout.JAVA_SHORT, i, Bf16.nearest(value));
            case F16 -> host.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(value));
            case I32 -> host.setAtIndex(ValueLayout.JAVA_INT, i, (int) value);
            case F64 -> host.setAtIndex(ValueLayout.JAVA_DOUBLE, i, value);
        }
    }

    static double[] values(Tensor tensor) {
        double[] values = new double[(int) tensor.elements()];
        for (int i = 0; i < values.length; i++) {
            values[i] = get(tensor, i);
        }
        return values;
    }

    /** Half a unit in the last place of the type, relative. */
    static double rounding(DType dtype) {
        return switch (dtype) {
            case F32 -> 0x1p-24;
            case BF16 -> 0x1p-8;
            case F16 -> 0x1p-11;
            case F64 -> 0x1p-53;
            case I32 -> 0;
        };
    }

    /** Asserts that each element lies within its bound of what is expected. */
    static void assertClose(String what, double[] expected, double[] bound, Tensor actual) {
        assertEquals(expected.length, actual.elements(), what);
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], get(actual, i), bound[i], what + ", element " + i + " of " + actual);
        }
    }

    /** Bounds for results of about {@code terms} operations in F32 on numbers up to {@code scale}, then rounded to the type. */
    static double[] bounds(double[] expected, DType dtype, double terms, double scale) {
        return Arrays.stream(expected)
                .map(e -> rounding(dtype) * Math.abs(e) * 1.01 + terms * 0x1p-24 * scale)
                .toArray();
    }

    /** The largest magnitude. */
    static double max(double[] values) {
        return Arrays.stream(values).map(Math::abs).max().orElse(0);
    }

    /** As many bytes as {@code tensor} has, in an array. */
    static byte[] bytes(Tensor tensor) {
        return tensor.host().toArray(ValueLayout.JAVA_BYTE);
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
        public void close() {} // the arena owns the memory
    }
}
