package ds.zero.optimizer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.DType;
import ds.api.layer.Parameter;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Six steps of the two that look at whole parameters, beside loops in double written from their sources. */
class LambAndMuonTest {
    private static final double RATE = 0.05;
    private static final double DECAY = 0.1;

    /** One parameter as doubles. */
    private record Oracle(int unit, Parameter parameter, int first) {
        int elements() {
            return (int) parameter.elements();
        }

        double[] initial() {
            double[] w = new double[elements()];
            for (int i = 0; i < w.length; i++) {
                w[i] = UnitRun.initial(unit, first + i);
            }
            return w;
        }

        double gradient(int step, int i) {
            return UnitRun.SCALE * UnitRun.gradient(unit, step, first + i);
        }

        double decay() {
            return parameter.decays() ? DECAY : 0;
        }
    }

    private interface Formula {
        double[] weights(Oracle oracle);
    }

    private static void assertFollows(float[][] actual, Formula formula, double tolerance) {
        for (int unit = 0; unit < UnitRun.UNITS.size(); unit++) {
            int first = 0;
            for (Parameter parameter : UnitRun.UNITS.get(unit)) {
                Oracle oracle = new Oracle(unit, parameter, first);
                double[] expected = formula.weights(oracle);
                for (int i = 0; i < expected.length; i++) {
                    assertEquals(expected[i], actual[unit][first + i], tolerance, parameter + ", element " + i);
                }
                first += expected.length;
            }
        }
    }

    private static double norm(double[] x) {
        double sum = 0;
        for (double value : x) {
            sum += value * value;
        }
        return Math.sqrt(sum);
    }

    /**
     * arXiv:1904.00962, Algorithm 2, with the coefficient between two bounds. Relative errors of an update, of norm at most
     * {@code rate · 10} times the weights' norm, are a few roundings, more where the moments cancel.
     */
    @ParameterizedTest
    @CsvSource({"0.01, 10, false", "0.01, 0.4, false", "2, 10, false", "0.01, 10, true"})
    void lambFollowsThePaper(double minimum, double maximum, boolean epsilonInRoot) throws Exception {
        String params = "\"lr\": %s, \"weight_decay\": %s, \"min_coeff\": %s, \"max_coeff\": %s, \"eps\": 1e-3,"
                + "\"eps_inside_sqrt\": %s";
        float[][] actual = new UnitRun(
                        "Lamb", params.formatted(RATE, DECAY, minimum, maximum, epsilonInRoot), 1, false, DType.F32)
                .weights();
        double tolerance = UnitRun.STEPS * 64 * 0x1p-24;
        assertFollows(actual, oracle -> lamb(oracle, minimum, maximum, epsilonInRoot), tolerance);
    }

    private static double[] lamb(Oracle oracle, double minimum, double maximum, boolean epsilonInRoot) {
        double[] w = oracle.initial();
        double[] m = new double[w.length];
        double[] v = new double[w.length];
        for (int t = 1; t <= UnitRun.STEPS; t++) {
            double[] u = new double[w.length];
            for (int i = 0; i < w.length; i++) {
                double g = oracle.gradient(t, i);
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                double mHat = m[i] / (1 - Math.pow(0.9, t));
                double vHat = v[i] / (1 - Math.pow(0.999, t));
                double root = epsilonInRoot ? Math.sqrt(vHat + 1e-3) : Math.sqrt(vHat) + 1e-3;
                u[i] = mHat / root + oracle.decay() * w[i];
            }
            double ratio = Math.max(minimum, Math.min(maximum, norm(w) / norm(u)));
            for (int i = 0; i < w.length; i++) {
                w[i] -= RATE * ratio * u[i];
            }
        }
        return w;
    }

    /**
     * Momentum, Newton–Schulz and AdamW in double. A step of the iteration changes singular values up to 1.21 by a polynomial
     * whose slope is at most 4 there, so five enlarge an error at most 4^5 times; it begins with the roundings of a product of
     * 9 terms.
     */
    @ParameterizedTest
    @CsvSource({"0.95, 3e-4", "0.5, 0.01"})
    void muonFollowsItsSource(double momentum, double adamRate) throws Exception {
        String params = "\"muon_lr\": %s, \"adam_lr\": %s, \"weight_decay\": %s, \"momentum\": %s";
        float[][] actual =
                new UnitRun("Muon", params.formatted(RATE, adamRate, DECAY, momentum), 1, false, DType.F32).weights();
        double tolerance = UnitRun.STEPS * RATE * 1024 * 9 * 0x1p-24;
        assertFollows(
                actual,
                oracle -> oracle.unit() == 0 && oracle.parameter().decays()
                        ? muon(oracle, momentum)
                        : adam(oracle, adamRate),
                tolerance);
    }

    private static double[] muon(Oracle oracle, double momentum) {
        int rows = (int) oracle.parameter().shape().rows();
        double[] w = oracle.initial();
        double[] m = new double[w.length];
        for (int t = 1; t <= UnitRun.STEPS; t++) {
            double[] u = new double[w.length];
            for (int i = 0; i < w.length; i++) {
                double g = oracle.gradient(t, i);
                m[i] += (1 - momentum) * (g - m[i]);
                u[i] = g + momentum * (m[i] - g);
            }
            double[] x = orthogonalised(u, rows);
            double scale = Math.sqrt(Math.max(1, (double) rows * rows / w.length));
            for (int i = 0; i < w.length; i++) {
                w[i] = w[i] * (1 - RATE * DECAY) - RATE * scale * x[i];
            }
        }
        return w;
    }

    /** Never mirrored, whatever the sides: {@code X Xᵀ} of {@code [rows, rows]}. */
    private static double[] orthogonalised(double[] u, int rows) {
        int columns = u.length / rows;
        double[] x = u.clone();
        double norm = norm(u) + 1e-7;
        for (int i = 0; i < x.length; i++) {
            x[i] /= norm;
        }
        for (int iteration = 0; iteration < 5; iteration++) {
            double[] gram = product(x, transposed(x, rows), rows, columns);
            double[] square = product(gram, gram, rows, rows);
            double[] sum = new double[gram.length];
            for (int i = 0; i < sum.length; i++) {
                sum[i] = -4.7750 * gram[i] + 2.0315 * square[i];
            }
            double[] rest = product(sum, x, rows, rows);
            for (int i = 0; i < x.length; i++) {
                x[i] = 3.4445 * x[i] + rest[i];
            }
        }
        return x;
    }

    private static double[] transposed(double[] x, int rows) {
        int columns = x.length / rows;
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i % columns * rows + i / columns] = x[i];
        }
        return y;
    }

    /** a {@code [m, k]} times b {@code [k, n]}. */
    private static double[] product(double[] a, double[] b, int m, int k) {
        int n = b.length / k;
        double[] c = new double[m * n];
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                for (int l = 0; l < k; l++) {
                    c[i * n + j] += a[i * k + l] * b[l * n + j];
                }
            }
        }
        return c;
    }

    private static double[] adam(Oracle oracle, double rate) {
        double[] w = oracle.initial();
        for (int i = 0; i < w.length; i++) {
            double m = 0;
            double v = 0;
            for (int t = 1; t <= UnitRun.STEPS; t++) {
                double g = oracle.gradient(t, i);
                m = 0.9 * m + 0.1 * g;
                v = 0.95 * v + 0.05 * g * g;
                double mHat = m / (1 - Math.pow(0.9, t));
                double vHat = v / (1 - Math.pow(0.95, t));
                w[i] -= rate * (mHat / (Math.sqrt(vHat) + 1e-10) + oracle.decay() * w[i]);
            }
        }
        return w;
    }
}
