package ds.backend.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.Bf16;
import ds.api.DType;
import ds.api.Tensor;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class LanesTest {
    private static final int ALL_HALVES = 1 << 16;

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"BF16", "F16"})
    void everyHalfSurvivesReadingAndWriting(DType dtype) {
        try (HostTensors tensors = new HostTensors(1)) {
            Tensor all = tensors.zeros(dtype, ALL_HALVES);
            for (int i = 0; i < ALL_HALVES; i++) {
                all.host().setAtIndex(java.lang.foreign.ValueLayout.JAVA_SHORT, i, (short) i);
            }
            float[] values = new float[ALL_HALVES];
            Elements.of(all).read(0, values, 0, ALL_HALVES);
            Tensor copy = tensors.zeros(dtype, ALL_HALVES);
            Elements.of(copy).write(values, 0, 0, ALL_HALVES);
            for (int i = 0; i < ALL_HALVES; i++) {
                assertEquals(HostTensors.get(all, i), values[i], "pattern " + i);
                assertEquals(HostTensors.get(all, i), HostTensors.get(copy, i), "pattern " + i);
            }
        }
    }

    @Test
    void bf16IsTheNearestAndTiesGoToEven() {
        Random random = new Random(2);
        for (int i = 0; i < 100_000; i++) {
            int bits = random.nextInt();
            float value = Float.intBitsToFloat(i % 4 == 0 ? (bits & 0xffff0000) | 0x8000 : bits); // a quarter are ties
            if (!Float.isFinite(value) || Math.abs(value) > 3e38f) {
                continue;
            }
            double below = Float.intBitsToFloat(Float.floatToRawIntBits(value) & 0xffff0000);
            double above = Float.intBitsToFloat((Float.floatToRawIntBits(value) & 0xffff0000) + 0x10000);
            double toBelow = Math.abs(value - below);
            double toAbove = Math.abs(above - value);
            boolean evenBelow = (Float.floatToRawIntBits(value) & 0x10000) == 0;
            double expected = toBelow < toAbove || (toBelow == toAbove && evenBelow) ? below : above;
            assertEquals(expected, Float.intBitsToFloat(Bf16.nearest(value) << 16), "of " + value);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 7, 8, 15, 16, 17, 33, 1029})
    void vectorsAndTailsWriteWhatTheScalarConversionGives(int n) {
        float[] values = new float[n];
        Random random = new Random(n);
        for (int i = 0; i < n; i++) {
            values[i] = Float.intBitsToFloat(random.nextInt());
        }
        values[n / 2] = Float.intBitsToFloat(0x7f800001); // a NaN whose upper half is that of infinity
        try (HostTensors tensors = new HostTensors(n)) {
            for (DType dtype : new DType[] {DType.F32, DType.BF16, DType.F16}) {
                Tensor expected = tensors.zeros(dtype, n + 2);
                Tensor actual = tensors.zeros(dtype, n + 2);
                for (int i = 0; i < n; i++) {
                    HostTensors.set(expected, i + 1, values[i]);
                }
                Elements.of(actual).write(values, 0, 1, n);
                assertArrayEquals(HostTensors.bytes(expected), HostTensors.bytes(actual), dtype + " with neighbours");
                assertTrue(Float.isNaN(HostTensors.get(actual, 1 + n / 2)));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 8, 17, 100})
    void readFillsTheLastVectorWithZerosAndNoMore(int n) {
        try (HostTensors tensors = new HostTensors(n)) {
            for (DType dtype : new DType[] {DType.F32, DType.BF16, DType.F16}) {
                Tensor tensor = tensors.normal(dtype, 1, n + 3);
                float[] array = new float[Lanes.padded(n) + 5];
                Arrays.fill(array, 9f);
                Elements.of(tensor).read(3, array, 2, n);
                for (int i = 0; i < array.length; i++) {
                    boolean inside = i >= 2 && i < 2 + n;
                    boolean padding = i >= 2 + n && i < 2 + Lanes.padded(n);
                    float expected = inside ? HostTensors.get(tensor, i + 1) : padding ? 0f : 9f;
                    assertEquals(expected, array[i], dtype + ", " + i);
                }
            }
        }
    }

    @Test
    void integersAreRefused() {
        try (HostTensors tensors = new HostTensors(1)) {
            Elements ids = Elements.of(tensors.integers(5, 8));
            assertThrows(IllegalArgumentException.class, () -> ids.read(0, new float[8], 0, 8));
            assertThrows(IllegalArgumentException.class, () -> ids.write(new float[8], 0, 0, 8));
        }
    }
}
