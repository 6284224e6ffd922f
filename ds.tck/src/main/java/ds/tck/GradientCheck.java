package ds.tck;

import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Batch;
import ds.api.layer.Layer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Compares a layer's backward pass with central differences of its forward pass: along directions in the space of each
 * parameter, and of the input unless that is integers. The layer may be a whole model that ends in its loss, or any other: then
 * its output is contracted with a random gradient. Training mode, F32; dropout drops the same elements in every evaluation.
 *
 * {@snippet :
 * try (TensorBackend backend = new ReferenceBackend()) {
 *     GradientCheck.of(layer, backend).verify(Batch.of(tokens, targets, 0)); // throws, naming the parameter
 * }
 * }
 *
 * <p>Directions are unit vectors: the gradient's own, in which a wrong factor shows best, and random ones, in which a missing
 * term shows. A central difference with step h is off by a truncation that falls as h², so by less than its change when h is
 * halved, and by the rounding of two losses, divided by 2h. Steps are halved as long as that sum falls; it is the tolerance.
 */
public final class GradientCheck {
    private static final int RANDOM_DIRECTIONS = 2;
    private static final int HALVINGS = 10;

    /** Roundings that a loss errs by, of the sum of its terms' magnitudes; the terms' own errors cancel more than they add. */
    private static final int LOSS_ROUNDINGS = 8;

    private final Layer layer;
    private final TensorBackend backend;
    private final long seed;

    /**
     * What was found in one direction.
     *
     * @param variable name of the parameter, or {@code "input"}
     * @param direction 0 is the gradient's own, the others are random
     * @param analytic derivative by the backward pass
     * @param numeric derivative by differences of the forward pass
     * @param tolerance of the numeric one
     */
    public record Derivative(String variable, int direction, double analytic, double numeric, double tolerance) {
        /** {@return whether the two agree; not if one is no number} */
        public boolean agrees() {
            return Math.abs(analytic - numeric) <= tolerance + Bound.epsilon(DType.F32) * 8 * Math.abs(analytic);
        }
    }

    private GradientCheck(Layer layer, TensorBackend backend, long seed) {
        this.layer = layer;
        this.backend = backend;
        this.seed = seed;
    }

    /**
     * {@return the check of a layer, whose parameters get weights of their own: their initial values, moved a little}
     *
     * @param backend borrowed; {@link ReferenceBackend} unless the backend's own kernels are to be checked
     */
    public static GradientCheck of(Layer layer, TensorBackend backend) {
        return new GradientCheck(layer, backend, 1);
    }

    /** {@return the same check with other weights, directions and random numbers} */
    public GradientCheck seed(long other) {
        return new GradientCheck(layer, backend, other);
    }

    /** Checks a layer whose input is that of the batch; see {@link #verify(Batch, Tensor)}. */
    public void verify(Batch batch) {
        verify(batch, batch.inputs());
    }

    /**
     * Checks all derivatives.
     *
     * @param batch what {@link ds.api.layer.Pass#batch} returns
     * @param x the layer's input, F32 or I32, on the backend; left as it is
     * @throws AssertionError naming each parameter whose gradient is wrong, with both values
     */
    public void verify(Batch batch, Tensor x) {
        List<Derivative> wrong =
                run(batch, x).stream().filter(found -> !found.agrees()).toList();
        if (!wrong.isEmpty()) {
            StringBuilder message = new StringBuilder("layer " + layer.name() + ", seed " + seed + ":");
            for (Derivative d : wrong) {
                message.append("\n  %s, direction %d: backward says %.6g, differences of forward say %.6g ± %.2g"
                        .formatted(d.variable(), d.direction(), d.analytic(), d.numeric(), d.tolerance()));
            }
            throw new AssertionError(message.toString());
        }
    }

    /** {@return all derivatives, right and wrong ones; parameters as in {@link #verify(Batch, Tensor)}} */
    public List<Derivative> run(Batch batch, Tensor x) {
        List<Derivative> found = new ArrayList<>();
        try (LayerRun run = new LayerRun(layer, backend, batch, x, seed)) {
            Map<String, double[]> gradients = run.gradients(1);
            run.variables().forEach((name, variable) -> {
                double[] gradient = gradients.get(name);
                for (int direction = 0; direction <= RANDOM_DIRECTIONS; direction++) {
                    double[] unit = unit(name, direction, gradient);
                    if (unit.length > 0) {
                        double[] numeric = new Line(run, variable, unit).derivative();
                        found.add(new Derivative(name, direction, dot(gradient, unit), numeric[0], numeric[1]));
                    }
                }
            });
        }
        return found;
    }

    /** {@return a unit vector; none along a gradient that is zero} */
    private double[] unit(String name, int direction, double[] gradient) {
        long key = CounterRandom.key(seed, CounterRandom.part(name), direction);
        double[] vector = direction == 0 ? gradient.clone() : LayerRun.normal(key, gradient.length);
        double norm = Math.sqrt(dot(vector, vector));
        if (norm == 0) {
            return new double[0];
        }
        Arrays.setAll(vector, i -> vector[i] / norm);
        return vector;
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    /** A line through the value that a variable has. */
    private static final class Line {
        private final LayerRun run;
        private final Tensor variable;
        private final double[] unit;
        private final double[] centre;

        Line(LayerRun run, Tensor variable, double[] unit) {
            this.run = run;
            this.variable = variable;
            this.unit = unit;
            this.centre = run.read(variable);
        }

        /** {@return the derivative of the loss along the line, and its tolerance} */
        double[] derivative() {
            double h = Math.max(1, Math.sqrt(dot(centre, centre))) / 4;
            double coarse = difference(h)[0];
            double[] best = {coarse, Double.POSITIVE_INFINITY};
            for (int i = 0; i < HALVINGS; i++, h /= 2) {
                double[] fine = difference(h / 2);
                double error = Math.abs(fine[0] - coarse) + fine[1];
                if (error < best[1]) {
                    best = new double[] {fine[0], error};
                }
                coarse = fine[0];
            }
            run.write(centre, variable);
            return best;
        }

        /** {@return the central difference with step h, and the error of its rounding} */
        private double[] difference(double h) {
            LayerRun.Loss above = lossAt(h);
            LayerRun.Loss below = lossAt(-h);
            double roundings = Bound.epsilon(DType.F32) * LOSS_ROUNDINGS * (above.magnitude() + below.magnitude());
            return new double[] {(above.value() - below.value()) / (2 * h), roundings / (2 * h)};
        }

        private LayerRun.Loss lossAt(double h) {
            double[] moved = centre.clone();
            Arrays.setAll(moved, i -> centre[i] + h * unit[i]);
            run.write(moved, variable);
            return run.loss();
        }
    }
}
