package ds.backend.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Dropout;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.Scratch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DropoutKernelTest {
    @ParameterizedTest
    @ValueSource(floats = {0.1f, 0.5f, 0x1p-24f, 0.9999999f})
    void keepsWhatTheScalarGeneratorKeeps(float rate) {
        CounterRandom random = new CounterRandom(CounterRandom.key(7, 1), 1L << 40);
        Dropout dropout = new Dropout(rate, random);
        float kept = (float) (1 / (1.0 - rate));
        try (HostTensors tensors = new HostTensors(4)) {
            for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
                Tensor x = tensors.normal(dtype, 1, 5003);
                Tensor y = tensors.zeros(dtype, 5003);
                DropoutKernel.run(x, dropout, y, new Part(0, 1999, new Scratch()));
                DropoutKernel.run(x, dropout, y, new Part(1999, 5003, new Scratch()));
                Tensor expected = tensors.zeros(dtype, 1);
                for (int i = 0; i < 5003; i++) {
                    float factor = random.uniform(i) >= rate ? kept : 0f;
                    HostTensors.set(expected, 0, HostTensors.get(x, i) * factor);
                    assertEquals(HostTensors.get(expected, 0), HostTensors.get(y, i), dtype + ", element " + i);
                }
            }
        }
    }

    @Test
    void numberEqualToTheRateIsKept() {
        CounterRandom random = new CounterRandom(3, 0);
        Dropout dropout = new Dropout(random.uniform(5), random);
        float[] factors = new float[Lanes.padded(6)];
        DropoutKernel.factors(dropout, 0, factors, 0, factors.length);
        assertEquals((float) (1 / (1.0 - dropout.rate())), factors[5]);
    }

    @Test
    void uniformIsTheGeneratorsOwn() {
        CounterRandom random = new CounterRandom(99, 3);
        try (HostTensors tensors = new HostTensors(4)) {
            Tensor y = tensors.zeros(DType.F32, 2051);
            DropoutKernel.uniform(random, y, new Part(0, 1000, new Scratch()));
            DropoutKernel.uniform(random, y, new Part(1000, 2051, new Scratch()));
            for (int i = 0; i < 2051; i++) {
                assertEquals(random.uniform(i), HostTensors.get(y, i), "element " + i);
            }
        }
    }
}
