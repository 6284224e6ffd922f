package ds.tck;

import static ds.tck.Host.dot;
import static ds.tck.Host.read;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.Attention;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Dropout;
import ds.api.LayerNorm;
import ds.api.Tensor;
import java.util.Arrays;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The composed operations against closed forms, and their gradients against differences in double. */
class ComposedKernelsTest {
    private final Host host = new Host();

    @AfterEach
    void close() {
        assertEquals(
                0,
                host.backend
                        .memory()
                        .labels()
                        .getOrDefault("temporary", new ds.api.MemoryUse.Label(0, 0))
                        .liveBytes());
        host.close();
    }

    /** Fails unless the gradient is that of {@code f} at x: central differences in double, element by element. */
    private static void checkGradient(String what, double[] gradient, double[] x, ToDoubleFunction<double[]> f) {
        double h = 1e-5;
        for (int i = 0; i < x.length; i++) {
            double[] moved = x.clone();
            moved[i] = x[i] + h;
            double above = f.applyAsDouble(moved);
            moved[i] = x[i] - h;
            double slope = (above - f.applyAsDouble(moved)) / (2 * h);
            assertEquals(slope, gradient[i], 1e-5 * Math.max(1, Math.abs(slope)), what + ", element " + i);
        }
    }

    @Test
    void geluAtKnownValues() {
        Tensor x = host.f32(new double[] {0, 1, -1, 3, -10, 50}, 1, 6);
        host.kernels.biasGelu(x, host.zeros(6), x);
        assertArrayEquals(new double[] {0, 0.841192, -0.158808, 2.996363, 0, 50}, read(x), 1e-6);
    }

    @Test
    void geluGradient() {
        double[] x = host.normal(12);
        double[] bias = host.normal(4);
        double[] dy = host.normal(12);
        Tensor dx = host.zeros(3, 4);
        Tensor dBias = host.f32(new double[] {1, 1, 1, 1}, 4);
        host.kernels.biasGeluBackward(host.f32(dy, 3, 4), host.f32(x, 3, 4), host.f32(bias, 4), dx, dBias);
        checkGradient("dx", read(dx), x, v -> loss(v, bias, dy));
        double[] added = read(dBias);
        Arrays.setAll(added, i -> added[i] - 1);
        checkGradient("dBias", added, bias, v -> loss(x, v, dy));
    }

    private static double loss(double[] x, double[] bias, double[] dy) {
        double[] y = new double[x.length];
        Arrays.setAll(y, i -> Formulas.gelu(x[i] + bias[i % bias.length]));
        return dot(dy, y);
    }

    @Test
    void layerNormAndItsGradient() {
        double[] x = host.normal(15);
        double[] weight = host.normal(5);
        double[] bias = host.normal(5);
        double[] dy = host.normal(15);
        LayerNorm norm = new LayerNorm(host.f32(weight, 5), host.f32(bias, 5), host.zeros(3), host.zeros(3), 0.01f);
        Tensor y = host.zeros(3, 5);
        host.kernels.layerNorm(host.f32(x, 3, 5), norm, y);
        assertArrayEquals(Formulas.layerNorm(x, weight, bias, 0.01f), read(y), 1e-5);

        Tensor dx = host.f32(dy, 3, 5); // added to
        LayerNorm.Gradients gradients = new LayerNorm.Gradients(host.zeros(5), host.f32(bias, 5));
        host.kernels.layerNormBackward(host.f32(dy, 3, 5), host.f32(x, 3, 5), norm, gradients, dx);
        double[] onlyDx = read(dx);
        Arrays.setAll(onlyDx, i -> onlyDx[i] - dy[i]);
        checkGradient("dx", onlyDx, x, v -> dot(dy, Formulas.layerNorm(v, weight, bias, 0.01f)));
        checkGradient("dWeight", read(gradients.weight()), weight, v -> dot(dy, Formulas.layerNorm(x, v, bias, 0.01f)));
        double[] dBias = read(gradients.bias());
        Arrays.setAll(dBias, i -> dBias[i] - bias[i]);
        checkGradient("dBias", dBias, bias, v -> dot(dy, Formulas.layerNorm(x, weight, v, 0.01f)));
    }

    @Test
    void residualIsAddedFirst() {
        double[] x = host.normal(6);
        Tensor sum = host.zeros(2, 3);
        Tensor y = host.zeros(2, 3);
        LayerNorm norm =
                new LayerNorm(host.f32(new double[] {1, 1, 1}, 3), host.zeros(3), host.zeros(2), host.zeros(2), 0);
        host.kernels.residualLayerNorm(host.f32(x, 2, 3), host.f32(x, 2, 3), sum, norm, y);
        double[] doubled = Arrays.stream(x).map(v -> 2 * v).toArray();
        assertArrayEquals(doubled, read(sum));
        assertArrayEquals(Formulas.layerNorm(doubled, new double[] {1, 1, 1}, new double[3], 0), read(y), 1e-5);
    }

    @Test
    void attentionOfUniformKeysAveragesThePast() {
        int time = 6;
        double[] qkv = host.normal(time * 3 * 2);
        double[] expected = new double[time * 2];
        for (int t = 0; t < time; t++) {
            qkv[t * 6 + 2] = 0.7; // every key is the same
            qkv[t * 6 + 3] = -0.2;
            for (int d = 0; d < 2; d++) {
                for (int s = 0; s <= t; s++) {
                    expected[t * 2 + d] += qkv[s * 6 + 4 + d] / (t + 1);
                }
            }
        }
        Tensor y = host.zeros(1, time, 2);
        Tensor lse = host.zeros(1, 1, time);
        host.kernels.attention(host.f32(qkv, 1, time, 6), new Attention(1, Dropout.NONE), y, lse);
        assertArrayEquals(expected, read(y), 1e-6);
        double score = (qkv[0] * 0.7 - qkv[1] * 0.2) / Math.sqrt(2);
        assertEquals(score, read(lse)[0], 1e-6, "log of one term");
        double last = (qkv[30] * 0.7 - qkv[31] * 0.2) / Math.sqrt(2);
        assertEquals(last + Math.log(6), read(lse)[5], 1e-6, "log of six terms");
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1, 3, 0", "2, 5, 2, 3, 0", "1, 4, 3, 2, 0.4"})
    void attentionAndItsGradient(int batch, int time, int heads, int size, float rate) {
        int c = heads * size;
        double[] qkv = host.normal(batch * time * 3 * c);
        double[] dy = host.normal(batch * time * c);
        CounterRandom random = new CounterRandom(99, 7);
        double[] factors = new double[batch * heads * time * time];
        Arrays.setAll(factors, i -> random.uniform(i) >= rate ? 1 / (1.0 - rate) : 0);
        Attention attention = new Attention(heads, new Dropout(rate, random));
        Tensor x = host.f32(qkv, batch, time, 3L * c);
        Tensor y = host.zeros(batch, time, c);
        Tensor lse = host.zeros(batch, heads, time);
        host.kernels.attention(x, attention, y, lse);
        int[] dims = {batch, time, heads, size};
        assertArrayEquals(Formulas.attention(qkv, dims, factors), read(y), 1e-5);

        Tensor dqkv = host.f32(qkv, batch, time, 3L * c); // overwritten
        host.kernels.attentionBackward(host.f32(dy, batch, time, c), x, attention, y, lse, dqkv);
        checkGradient("dqkv", read(dqkv), qkv, v -> dot(dy, Formulas.attention(v, dims, factors)));
    }

    @Test
    void uniformLogitsCostTheLogOfTheVocabulary() {
        int vocabulary = 37;
        double[] logits = new double[2 * 40];
        Arrays.fill(logits, 5);
        Tensor x = host.f32(logits, 2, 40);
        Tensor losses = host.zeros(2);
        Tensor targets = host.of(DType.I32, new double[] {0, 36}, 2);
        host.kernels.crossEntropy(x, targets, vocabulary, 0.5, losses);
        assertArrayEquals(new double[] {Math.log(vocabulary), Math.log(vocabulary)}, read(losses), 1e-6);
        double[] gradient = read(x);
        assertEquals(0.5 * (1.0 / vocabulary - 1), gradient[0], 1e-7);
        assertEquals(0.5 / vocabulary, gradient[1], 1e-8);
        assertEquals(0.5 * (1.0 / vocabulary - 1), gradient[76], 1e-7);
        assertEquals(0, gradient[37], "padding");
    }

    @Test
    void crossEntropyGradient() {
        double[] logits = host.normal(9);
        Tensor x = host.f32(logits, 1, 9);
        Tensor losses = host.zeros(1);
        host.kernels.crossEntropy(x, host.of(DType.I32, new double[] {4}, 1), 9, 1, losses);
        assertEquals(Formulas.crossEntropy(logits, 4), read(losses)[0], 1e-6);
        checkGradient("dLogits", read(x), logits, v -> Formulas.crossEntropy(v, 4));
    }

    @Test
    void embeddingAddsTokenAndPosition() {
        Tensor tokens = host.of(DType.I32, new double[] {2, 0, 2, 1}, 2, 2);
        Tensor table = host.f32(new double[] {1, 2, 10, 20, 100, 200}, 3, 2);
        Tensor positions = host.f32(new double[] {0.5, 0.25, -0.5, -0.25, 9, 9}, 3, 2);
        Tensor y = host.zeros(2, 2, 2);
        host.kernels.embedding(tokens, table, positions, y);
        assertArrayEquals(new double[] {100.5, 200.25, 0.5, 1.75, 100.5, 200.25, 9.5, 19.75}, read(y));

        Tensor dTable = host.zeros(3, 2);
        Tensor dPositions = host.zeros(3, 2);
        host.kernels.embeddingBackward(y, tokens, dTable, dPositions);
        assertArrayEquals(new double[] {0.5, 1.75, 9.5, 19.75, 201, 400.5}, read(dTable));
        assertArrayEquals(new double[] {201, 400.5, 10, 21.5, 0, 0}, read(dPositions));
    }

    @Test
    void linearAddsTheBias() {
        Tensor y = host.zeros(2, 2);
        Tensor x = host.f32(new double[] {1, 2, 3, 4}, 2, 2);
        Tensor w = host.f32(new double[] {1, 10, 100, 1000}, 2, 2);
        host.kernels.linear(x, w, host.f32(new double[] {0.5, -0.5}, 2), y);
        assertArrayEquals(new double[] {201.5, 2009.5, 403.5, 4029.5}, read(y));
    }

    @Test
    void dropoutKeepsTheMean() {
        int n = 100_000;
        double[] ones = new double[n];
        Arrays.fill(ones, 1);
        Tensor x = host.f32(ones, n);
        host.kernels.dropout(x, new Dropout(0.2f, new CounterRandom(5, 0)), x);
        double[] y = read(x);
        double mean = Arrays.stream(y).sum() / n;
        assertEquals(1, mean, 6 * Math.sqrt(0.2 / 0.8 / n)); // six standard deviations of a Bernoulli mean
        assertEquals(
                0,
                Arrays.stream(y)
                        .filter(v -> v != 0 && Math.abs(v - 1.25) > 1e-6)
                        .count());
    }
}
