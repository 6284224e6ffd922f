package ds.zero;

import java.util.List;

/**
 * How far two runs are apart.
 *
 * @param weight largest difference of a weight after the last step
 * @param loss largest difference of a step's loss
 * @param firstNorm relative difference of the gradients' norms in the first step, in which both have the same weights
 */
record Deviation(double weight, double loss, double firstNorm) {
    static final Deviation ZERO = new Deviation(0, 0, 0);

    static Deviation between(ZeroRun expected, ZeroRun actual) {
        double weight = 0;
        for (var entry : expected.weights().entrySet()) {
            List<Float> other = actual.weights().get(entry.getKey());
            for (int i = 0; i < other.size(); i++) {
                weight = Math.max(weight, Math.abs(entry.getValue().get(i) - other.get(i)));
            }
        }
        double loss = 0;
        for (int i = 0; i < ZeroRun.STEPS; i++) {
            loss = Math.max(
                    loss, Math.abs(expected.losses().get(i) - actual.losses().get(i)));
        }
        double norm = expected.norms().getFirst();
        return new Deviation(weight, loss, Math.abs(actual.norms().getFirst() - norm) / norm);
    }

    Deviation or(Deviation other) {
        return new Deviation(
                Math.max(weight, other.weight), Math.max(loss, other.loss), Math.max(firstNorm, other.firstNorm));
    }
}
