package ds.zero.optimizer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.spi.Optimizer;
import ds.tck.ReferenceBackend;
import ds.zero.config.OptimizerConfig;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Six steps with weight decay beside PyTorch's in F64, or, where PyTorch has none, beside a loop in double written from the
 * paper. Weight i begins at {@code 0.3 (i + 1) (-1)^i}; its gradient in step t is {@code 0.5 sin(1.3 t + 2.1 i)}.
 */
class OptimizerValuesTest {
    private static final int STEPS = 6;
    private static final double RATE = 0.1;
    private static final double DECAY = 0.05;

    /** At most 16 roundings of F32 in each step, of numbers up to 2. */
    private static final double TOLERANCE = STEPS * 16 * 0x1p-24 * 2;

    private static double initial(int i) {
        return 0.3 * (i + 1) * (i % 2 == 0 ? 1 : -1);
    }

    /** Before {@link Optimizer.Step#gradientScale}, here 0.5. */
    private static double gradient(int step, int i) {
        return Math.sin(1.3 * step + 2.1 * i);
    }

    /** Values of PyTorch 2.13 (CPU, float64): {@code torch.optim.NAME(w, lr=0.1, weight_decay=0.05, …)}, the weights in the end. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "SGD     | | 0.23584066751907676 -0.5627538618286599 0.9089479960627336 -1.2198745587581146 1.4759107893089933",
                "SGD     | \"momentum\": 0.9"
                        + "| 0.11671386625402565 -0.4025921474465039 0.8318743207625455 -1.2504859216430229 1.5149196365440465",
                "SGD     | \"momentum\": 0.9, \"dampening\": 0.3"
                        + "| 0.10186095402495059 -0.4387268872648995 0.8945679343929049 -1.2946860392615658 1.5195660095692243",
                "SGD     | \"momentum\": 0.9, \"nesterov\": true"
                        + "| 0.07550850582504161 -0.3900684681263207 0.8487927717411116 -1.2626292570925215 1.4869785207419115",
                "Adagrad | | 0.18939706107709256 -0.44765613830109596 0.9248821445459692 -1.2653581852613498 1.596928684784848",
                "AdamW   | \"betas\": [0.9, 0.95]"
                        + "| 0.067194227070793 -0.3097381353654377 0.9391044728160598 -1.3867141183617147 1.7285914160849478",
                "Adam    | \"betas\": [0.9, 0.95], \"adam_w_mode\": false"
                        + "| 0.06360663268069404 -0.3001678947209746 0.903743276420929 -1.3552738913781937 1.6899339338953376",
            })
    void stepsArePytorchs(String optimizer, String more, String expected) {
        double[] values = Arrays.stream(expected.split(" "))
                .mapToDouble(Double::parseDouble)
                .toArray();
        assertWeights(values, optimizer, more == null ? "" : ", " + more);
    }

    private static void assertWeights(double[] expected, String optimizer, String more) {
        OptimizerConfig config = UnitRun.config(optimizer, "\"lr\": " + RATE + ", \"weight_decay\": " + DECAY + more);
        Optimizer made = Optimizers.of(config);
        int n = expected.length;
        try (ReferenceBackend backend = new ReferenceBackend()) {
            Tensor weights = backend.allocate(DType.F32, Shape.of(n), "test");
            Tensor gradient = backend.allocate(DType.F32, Shape.of(n), "test");
            List<Tensor> states = made.states().stream()
                    .map(name -> backend.allocate(DType.F32, Shape.of(n), "test"))
                    .toList();
            for (int i = 0; i < n; i++) {
                weights.host().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) initial(i));
            }
            for (int t = 1; t <= STEPS; t++) {
                for (int i = 0; i < n; i++) {
                    gradient.host().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) gradient(t, i));
                }
                made.update(
                        backend.kernels(backend.computeStream()),
                        new Optimizer.Shard(weights, gradient, states),
                        new Optimizer.Step(t, RATE, DECAY, 0.5, OptionalDouble.empty()));
            }
            for (int i = 0; i < n; i++) {
                assertEquals(
                        expected[i],
                        weights.host().getAtIndex(ValueLayout.JAVA_FLOAT, i),
                        TOLERANCE,
                        optimizer + more + ", weight " + i);
            }
        }
    }

    /** arXiv:2302.06675, Algorithm 2. */
    @Test
    void lionFollowsThePaper() {
        double[] w = new double[8];
        for (int i = 0; i < w.length; i++) {
            w[i] = initial(i);
            double m = 0;
            for (int t = 1; t <= STEPS; t++) {
                double g = 0.5 * gradient(t, i);
                w[i] -= RATE * (Math.signum(0.8 * m + 0.2 * g) + DECAY * w[i]);
                m = 0.95 * m + 0.05 * g;
            }
        }
        assertWeights(w, "Lion", ", \"betas\": [0.8, 0.95]");
    }
}
