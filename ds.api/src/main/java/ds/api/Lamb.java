package ds.api;

/**
 * The scalars of the elementwise part of a LAMB step (You et al., arXiv:1904.00962, Algorithm 2): Adam's moments, and the
 * direction {@code m̂ / (sqrt(v̂) + epsilon) + weightDecay · w} whose norm is then compared with the weights'.
 *
 * @param beta1 decay of the first moment
 * @param beta2 decay of the second moment
 * @param epsilon added to the root of the corrected second moment
 * @param epsilonInRoot whether it is added under the root instead
 * @param weightDecay 0 for none
 * @param biasCorrection whether the moments are divided by {@code 1 - beta^step}
 * @param step counted from 1
 * @param gradientScale every gradient is multiplied by it first
 */
public record Lamb(
        double beta1,
        double beta2,
        double epsilon,
        boolean epsilonInRoot,
        double weightDecay,
        boolean biasCorrection,
        long step,
        double gradientScale) {
    /** {@return by what the first moment is multiplied in the direction} */
    public double firstCorrection() {
        return biasCorrection ? 1 / (1 - Math.pow(beta1, step)) : 1;
    }

    /** {@return by what the second moment is multiplied in the direction} */
    public double secondCorrection() {
        return biasCorrection ? 1 / (1 - Math.pow(beta2, step)) : 1;
    }
}
