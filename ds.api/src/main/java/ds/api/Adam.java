package ds.api;

/**
 * The scalars of one Adam step (Kingma &amp; Ba, arXiv:1412.6980), with decoupled weight decay (AdamW: Loshchilov &amp;
 * Hutter, arXiv:1711.05101; the decay is scaled by the learning rate, as in PyTorch) or decay added to the gradient.
 *
 * @param learningRate of this step
 * @param beta1 decay of the first moment
 * @param beta2 decay of the second moment
 * @param epsilon added to the root of the corrected second moment
 * @param weightDecay 0 for none
 * @param decoupled true for AdamW, false for weight decay in the gradient
 * @param biasCorrection whether the moments are divided by {@code 1 - beta^step}
 * @param step counted from 1
 * @param gradientScale every gradient is multiplied by it first: averaging, unscaling and clipping in one factor
 */
public record Adam(
        double learningRate,
        double beta1,
        double beta2,
        double epsilon,
        double weightDecay,
        boolean decoupled,
        boolean biasCorrection,
        long step,
        double gradientScale) {}
