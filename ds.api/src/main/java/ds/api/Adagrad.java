package ds.api;

/**
 * The scalars of one Adagrad step (Duchi, Hazan &amp; Singer, JMLR 12, 2011), as in PyTorch: weight decay is added to the
 * gradient, in the sum of squares and in the numerator alike.
 *
 * @param learningRate of this step
 * @param epsilon added to the root of the sum of squares
 * @param weightDecay 0 for none
 * @param gradientScale every gradient is multiplied by it first
 */
public record Adagrad(double learningRate, double epsilon, double weightDecay, double gradientScale) {}
