package ds.api;

/**
 * The scalars of one Lion step (Chen et al., arXiv:2302.06675, Algorithm 2).
 *
 * @param learningRate of this step
 * @param beta1 weight of the momentum in the direction
 * @param beta2 decay of the momentum
 * @param weightDecay decoupled, scaled by the learning rate; 0 for none
 * @param gradientScale every gradient is multiplied by it first
 */
public record Lion(double learningRate, double beta1, double beta2, double weightDecay, double gradientScale) {}
