package ds.backend.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import ds.api.DType;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.Scratch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class EmbeddingKernelTest {
    private static final int B = 3;
    private static final int T = 5;
    private static final int C = 21;
    private static final int V = 4;

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "BF16", "F16"})
    void addsTheTokensRowAndThePositionsRow(DType dtype) {
        try (HostTensors tensors = new HostTensors(1)) {
            Tensor tokens = tensors.integers(V, B, T);
            Tensor table = tensors.normal(dtype, 1, V, C);
            Tensor positions = tensors.normal(dtype, 1, T + 2, C);
            Tensor y = tensors.zeros(dtype, B, T, C);
            Tensor expected = tensors.zeros(dtype, 1);
            EmbeddingKernel.forward(tokens, table, positions, y, new Part(0, 4, new Scratch()));
            EmbeddingKernel.forward(tokens, table, positions, y, new Part(4, B * T, new Scratch()));
            for (int i = 0; i < B * T * C; i++) {
                int row = i / C;
                long token = (long) HostTensors.get(tokens, row);
                float sum = HostTensors.get(table, token * C + i % C) + HostTensors.get(positions, row % T * C + i % C);
                HostTensors.set(expected, 0, sum);
                assertEquals(HostTensors.get(expected, 0), HostTensors.get(y, i), "element " + i);
            }
        }
    }

    @Test
    void gradientsAreSummedInTheOrderOfTheRows() {
        try (HostTensors tensors = new HostTensors(2)) {
            Tensor tokens = tensors.integers(V, B, T);
            Tensor dy = tensors.normal(DType.BF16, 1, B, T, C);
            Tensor dTable = tensors.normal(DType.F32, 1, V, C);
            Tensor dPositions = tensors.normal(DType.F32, 1, T + 1, C);
            float[][] table = new float[V][C];
            float[][] positions = new float[T + 1][C];
            for (int j = 0; j < C; j++) {
                for (int i = 0; i < V; i++) {
                    table[i][j] = HostTensors.get(dTable, i * C + j);
                }
                for (int i = 0; i <= T; i++) {
                    positions[i][j] = HostTensors.get(dPositions, i * C + j);
                }
                for (int i = 0; i < B * T; i++) {
                    table[(int) HostTensors.get(tokens, i)][j] += HostTensors.get(dy, i * C + j);
                    positions[i % T][j] += HostTensors.get(dy, i * C + j);
                }
            }
            EmbeddingKernel.backward(dy, tokens, dTable, dPositions, new Part(10, C, new Scratch()));
            EmbeddingKernel.backward(dy, tokens, dTable, dPositions, new Part(0, 10, new Scratch()));
            for (int j = 0; j < C; j++) {
                for (int i = 0; i < V; i++) {
                    assertEquals(table[i][j], HostTensors.get(dTable, i * C + j), "token " + i + ", column " + j);
                }
                for (int i = 0; i <= T; i++) {
                    assertEquals(positions[i][j], HostTensors.get(dPositions, i * C + j), "position " + i);
                }
            }
        }
    }

    @Test
    void tokenBeyondTheTableIsRefused() {
        try (HostTensors tensors = new HostTensors(2)) {
            Tensor tokens = tensors.zeros(DType.I32, 1, 2);
            HostTensors.set(tokens, 1, V);
            Tensor table = tensors.zeros(DType.F32, V, C);
            Tensor y = tensors.zeros(DType.F32, 1, 2, C);
            Part part = new Part(0, 2, new Scratch());
            assertThrows(IllegalArgumentException.class, () -> EmbeddingKernel.forward(tokens, table, table, y, part));
        }
    }
}
