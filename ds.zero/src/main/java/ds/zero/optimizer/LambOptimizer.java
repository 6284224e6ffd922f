package ds.zero.optimizer;

import ds.api.Kernels;
import ds.api.Lamb;
import ds.api.Tensor;
import ds.api.spi.LayerwiseOptimizer;
import ds.zero.config.OptimizerConfig;
import java.util.List;

/**
 * LAMB (You et al., arXiv:1904.00962, Algorithm 2): the step of each parameter is Adam's, bias-corrected as in the paper, times
 * the norm of its weights by the norm of the step. That coefficient is kept between two bounds, as in DeepSpeed; it is 1 where
 * either norm is 0.
 */
record LambOptimizer(OptimizerConfig.Lamb config) implements LayerwiseOptimizer {
    @Override
    public List<String> states() {
        return List.of("exp_avg", "exp_avg_sq");
    }

    @Override
    public void update(Kernels kernels, Shard shard, Step step) {
        kernels.lambMoments(
                scalars(step),
                shard.gradient(),
                shard.states().get(0),
                shard.states().get(1));
    }

    @Override
    public void direction(Kernels kernels, Shard shard, Step step, Tensor direction) {
        kernels.lambDirection(
                scalars(step),
                shard.weights(),
                shard.states().get(0),
                shard.states().get(1),
                direction);
    }

    @Override
    public double rate(Step step, double weightNorm, double directionNorm) {
        if (weightNorm == 0 || directionNorm == 0) {
            return step.learningRate();
        }
        return step.learningRate()
                * Math.clamp(weightNorm / directionNorm, config.minimumCoefficient(), config.maximumCoefficient());
    }

    private Lamb scalars(Step step) {
        return new Lamb(
                step.momentumOr(config.beta1()),
                config.beta2(),
                config.epsilon(),
                config.epsilonInRoot(),
                step.weightDecay(),
                config.biasCorrection(),
                step.number(),
                step.gradientScale());
    }
}
