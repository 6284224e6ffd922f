package ds.api;

/**
 * The scalars of one step of gradient descent with momentum (Polyak, 1964; Nesterov's form as in Sutskever et al., ICML 2013), as
 * in PyTorch: weight decay is added to the gradient, and the first step's velocity is its gradient, undamped.
 *
 * @param learningRate of this step
 * @param momentum decay of the velocity
 * @param dampening part of the gradient that is kept from the velocity
 * @param nesterov whether the step looks ahead along the velocity
 * @param weightDecay 0 for none
 * @param first whether it is step 1; what the velocity held before is not read then
 * @param gradientScale every gradient is multiplied by it first
 */
public record Sgd(
        double learningRate,
        double momentum,
        double dampening,
        boolean nesterov,
        double weightDecay,
        boolean first,
        double gradientScale) {}
