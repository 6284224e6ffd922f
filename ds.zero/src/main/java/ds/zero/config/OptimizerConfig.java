package ds.zero.config;

import ds.zero.config.json.ConfigException;
import ds.zero.config.json.Range;
import java.util.List;
import java.util.Map;

/** The block {@code optimizer}. */
public sealed interface OptimizerConfig {
    /** The built-in optimizers; a configuration may write them in any case. */
    List<String> BUILT_IN =
            List.of("Adam", "AdamW", "Lion", "Adagrad", "SGD", "Lamb", "Muon", "OneBitAdam", "ZeroOneAdam");

    /** {@return {@code optimizer.type} as it is written} */
    String type();

    /** {@return {@code lr}: the learning rate from which the schedule starts out} */
    double learningRate();

    /** {@return {@code weight_decay} of the parameters that decay} */
    double weightDecay();

    /** {@return whether it has a momentum, or first beta, that a schedule can cycle} */
    default boolean hasMomentum() {
        return true;
    }

    /** {@return whether it updates element by element, rather than by norms of parameters or whole matrices} */
    default boolean isElementwise() {
        return true;
    }

    /** {@return whether ranks exchange its momenta instead of gradients, so that each updates all weights by itself} */
    default boolean exchangesMomenta() {
        return false;
    }

    /**
     * The built-in Adam (Kingma &amp; Ba, arXiv:1412.6980) and AdamW (Loshchilov &amp; Hutter, arXiv:1711.05101). As in DeepSpeed
     * both are AdamW, unless the type is {@code Adam} and {@code adam_w_mode} is false.
     *
     * @param type {@code Adam} or {@code AdamW}, in any case
     * @param learningRate at least 0
     * @param beta1 decay of the first moment, in [0, 1)
     * @param beta2 decay of the second moment, in [0, 1)
     * @param epsilon added to the root of the second moment, above 0
     * @param weightDecay at least 0
     * @param biasCorrection whether the moments are divided by {@code 1 - beta^t}
     * @param decoupled true for AdamW; false for weight decay in the gradient
     */
    record Adam(
            String type,
            double learningRate,
            double beta1,
            double beta2,
            double epsilon,
            double weightDecay,
            boolean biasCorrection,
            boolean decoupled)
            implements OptimizerConfig {
        /** Rejects what is out of range. */
        public Adam {
            requireCommon(learningRate, weightDecay);
            requireBetas(beta1, beta2);
            require("eps", epsilon, Range.above(0));
        }
    }

    /**
     * Lion (Chen et al., arXiv:2302.06675). Its direction is a sign, 0 where there is none.
     *
     * @param type {@code Lion}, in any case
     * @param learningRate at least 0
     * @param beta1 weight of the momentum in the direction, in [0, 1)
     * @param beta2 decay of the momentum, in [0, 1)
     * @param weightDecay decoupled, at least 0
     */
    record Lion(String type, double learningRate, double beta1, double beta2, double weightDecay)
            implements OptimizerConfig {
        /** Rejects what is out of range. */
        public Lion {
            requireCommon(learningRate, weightDecay);
            requireBetas(beta1, beta2);
        }
    }

    /**
     * Adagrad (Duchi, Hazan &amp; Singer, JMLR 12, 2011), as in PyTorch: weight decay is part of the gradient wherever it occurs.
     *
     * @param type {@code Adagrad}, in any case
     * @param learningRate at least 0
     * @param epsilon added to the root of the sum of squares, above 0
     * @param weightDecay at least 0
     */
    record Adagrad(String type, double learningRate, double epsilon, double weightDecay) implements OptimizerConfig {
        /** Rejects what is out of range. */
        public Adagrad {
            requireCommon(learningRate, weightDecay);
            require("eps", epsilon, Range.above(0));
        }

        @Override
        public boolean hasMomentum() {
            return false;
        }
    }

    /**
     * Gradient descent, as in PyTorch.
     *
     * @param type {@code SGD}, in any case
     * @param learningRate at least 0
     * @param momentum decay of the velocity, in [0, 1); 0 for none
     * @param dampening part of the gradient that is kept from the velocity, in [0, 1]
     * @param nesterov whether a step looks ahead; needs a momentum and no dampening
     * @param weightDecay added to the gradient, at least 0
     */
    record Sgd(
            String type, double learningRate, double momentum, double dampening, boolean nesterov, double weightDecay)
            implements OptimizerConfig {
        /** Rejects what is out of range. */
        public Sgd {
            requireCommon(learningRate, weightDecay);
            require("momentum", momentum, Range.halfOpen(0, 1));
            require("dampening", dampening, Range.closed(0, 1));
            if (nesterov && (momentum == 0 || dampening != 0)) {
                throw new ConfigException(
                        "optimizer.params.nesterov",
                        true,
                        "needs a momentum and no dampening, but momentum is " + momentum + " and dampening "
                                + dampening,
                        "give a momentum above 0 and a dampening of 0, or remove this key");
            }
        }

        @Override
        public boolean hasMomentum() {
            return momentum > 0;
        }
    }

    /**
     * LAMB (You et al., arXiv:1904.00962), bias-corrected as in the paper; DeepSpeed's takes uncorrected moments for the ratio of
     * norms, and corrects the learning rate.
     *
     * @param type {@code Lamb}, in any case
     * @param learningRate at least 0
     * @param beta1 decay of the first moment, in [0, 1)
     * @param beta2 decay of the second moment, in [0, 1)
     * @param epsilon added to the root of the second moment, above 0
     * @param epsilonInRoot whether it is added under the root instead
     * @param weightDecay at least 0
     * @param biasCorrection whether the moments are divided by {@code 1 - beta^t}
     * @param minimumCoefficient the least ratio of norms, at least 0
     * @param maximumCoefficient the greatest ratio of norms, at least the least
     */
    record Lamb(
            String type,
            double learningRate,
            double beta1,
            double beta2,
            double epsilon,
            boolean epsilonInRoot,
            double weightDecay,
            boolean biasCorrection,
            double minimumCoefficient,
            double maximumCoefficient)
            implements OptimizerConfig {
        /** Rejects what is out of range. */
        public Lamb {
            requireCommon(learningRate, weightDecay);
            requireBetas(beta1, beta2);
            require("eps", epsilon, Range.above(0));
            require("min_coeff", minimumCoefficient, Range.atLeast(0));
            require("max_coeff", maximumCoefficient, Range.above(0));
            if (minimumCoefficient > maximumCoefficient) {
                throw new ConfigException(
                        "optimizer.params.min_coeff",
                        minimumCoefficient,
                        "exceeds max_coeff = " + maximumCoefficient,
                        "lower it, or raise max_coeff");
            }
        }

        @Override
        public boolean isElementwise() {
            return false;
        }

        /** {@return the same with other bounds of the ratio of norms} */
        public Lamb between(double minimum, double maximum) {
            return new Lamb(
                    type,
                    learningRate,
                    beta1,
                    beta2,
                    epsilon,
                    epsilonInRoot,
                    weightDecay,
                    biasCorrection,
                    minimum,
                    maximum);
        }
    }

    /**
     * Muon (Jordan et al., 2024) for hidden matrices, AdamW for all other parameters. A schedule gives the rate of the
     * matrices; that of the others keeps its proportion to it.
     *
     * @param type {@code Muon}, in any case
     * @param learningRate of the matrices, above 0
     * @param momentum of the matrices, in [0, 1)
     * @param weightDecay decoupled, at least 0; of matrices and of others that decay
     * @param others AdamW's parameters; its weight decay is not read
     */
    record Muon(String type, double learningRate, double momentum, double weightDecay, Adam others)
            implements OptimizerConfig {
        /** Rejects what is out of range. */
        public Muon {
            requireCommon(learningRate, weightDecay);
            require("muon_lr", learningRate, Range.above(0));
            require("momentum", momentum, Range.halfOpen(0, 1));
        }

        @Override
        public boolean isElementwise() {
            return false;
        }
    }

    /** Adam of which ranks exchange signs of momenta, from some update on. */
    sealed interface SignAdam extends OptimizerConfig {
        /** {@return the Adam that it begins as} */
        Adam adam();

        @Override
        default double learningRate() {
            return adam().learningRate();
        }

        @Override
        default double weightDecay() {
            return adam().weightDecay();
        }

        @Override
        default boolean isElementwise() {
            return false;
        }

        @Override
        default boolean exchangesMomenta() {
            return true;
        }
    }

    /**
     * 1-bit Adam (Tang et al., arXiv:2102.02888): AdamW whose variance is frozen after some updates, from when on ranks exchange a sign
     * for each element of their momenta. Unlike DeepSpeed's it corrects the bias of both moments, unless {@code bias_correction} is
     * false: a variance that is frozen early would stay too small for the rest of the run.
     *
     * @param type {@code OneBitAdam}, in any case
     * @param adam of the first updates; decoupled
     * @param freezeStep after how many updates the variance stays as it is, at least 1
     */
    record OneBitAdam(String type, Adam adam, long freezeStep) implements SignAdam {
        /** Rejects what is out of range. */
        public OneBitAdam {
            require("freeze_step", freezeStep, Range.atLeast(1));
        }
    }

    /**
     * 0/1 Adam (Lu et al., arXiv:2202.06009): AdamW whose variance sees sums of gradients at growing intervals only, and ranks exchange
     * a sign for each element of their gradients between; when it is frozen they take steps of their own, and exchange signs of what these
     * have done at growing intervals. Bias is corrected as by {@link OneBitAdam}.
     *
     * @param type {@code ZeroOneAdam}, in any case
     * @param adam decoupled
     * @param varFreezeStep after how many updates the variance stays as it is, at least 1
     * @param varUpdateScaler after how many updates of the variance the interval between them doubles, at least 1
     * @param localStepScaler after how many updates, when the variance is frozen, the interval between exchanges doubles, at least 1
     * @param localStepClipper the longest interval between exchanges, at least 1
     */
    record ZeroOneAdam(
            String type,
            Adam adam,
            long varFreezeStep,
            long varUpdateScaler,
            long localStepScaler,
            long localStepClipper)
            implements SignAdam {
        /** Rejects what is out of range. */
        public ZeroOneAdam {
            require("var_freeze_step", varFreezeStep, Range.atLeast(1));
            require("var_update_scaler", varUpdateScaler, Range.atLeast(1));
            require("local_step_scaler", localStepScaler, Range.atLeast(1));
            require("local_step_clipper", localStepClipper, Range.atLeast(1));
        }
    }

    /**
     * An optimizer that a provider on the module path supplies; the provider checks the options.
     *
     * @param type the provider's name
     * @param learningRate at least 0
     * @param weightDecay at least 0
     * @param options {@code optimizer.params} without {@code lr} and {@code weight_decay}, as plain Java values
     */
    record Provided(String type, double learningRate, double weightDecay, Map<String, Object> options)
            implements OptimizerConfig {
        /** Rejects what is out of range; copies the options. */
        public Provided {
            requireCommon(learningRate, weightDecay);
            options = Map.copyOf(options);
        }
    }

    private static void requireCommon(double learningRate, double weightDecay) {
        require("lr", learningRate, Range.atLeast(0));
        require("weight_decay", weightDecay, Range.atLeast(0));
    }

    private static void requireBetas(double beta1, double beta2) {
        require("betas", beta1, Range.halfOpen(0, 1));
        require("betas", beta2, Range.halfOpen(0, 1));
    }

    private static void require(String key, double value, Range range) {
        if (!range.contains(value)) {
            throw new ConfigException("optimizer.params." + key, value, "must be " + range, "");
        }
    }
}
