package ds.zero.plan;

import ds.api.DType;
import ds.zero.config.Precision;
import ds.zero.config.StatePrecision;
import ds.zero.config.ZeroStage;

/**
 * Bytes of weights, gradients and optimizer states for each parameter, and what a rank keeps of them at each stage
 * (Rajbhandari et al., arXiv:1910.02054, section 5 and figure 1). Ψ parameters on N ranks, with Adam:
 *
 * <pre>
 *            16-bit          F32
 * stage 0    16Ψ             16Ψ
 * stage 1    4Ψ + 12Ψ/N      8Ψ + 8Ψ/N
 * stage 2    2Ψ + 14Ψ/N      4Ψ + 12Ψ/N
 * stage 3    16Ψ/N           16Ψ/N
 * </pre>
 *
 * What is kept in less than F32 takes less: see {@link #of(Precision)}.
 *
 * @param weightBytes of a parameter
 * @param gradientBytes of a parameter
 * @param optimizerBytes of a parameter: momentum and variance, and the F32 weight beside a 16-bit one
 */
public record ModelStates(int weightBytes, int gradientBytes, int optimizerBytes) {
    /** 16-bit weights and gradients; weight, momentum and variance in F32. */
    public static final ModelStates MIXED = new ModelStates(2, 2, 12);

    /** Everything in F32. */
    public static final ModelStates FP32 = new ModelStates(4, 4, 8);

    /**
     * What a rank keeps.
     *
     * @param weights bytes
     * @param gradients bytes
     * @param optimizer bytes of masters and optimizer states
     */
    public record PerRank(long weights, long gradients, long optimizer) {
        /** {@return all of it} */
        public long total() {
            return Math.addExact(Math.addExact(weights, gradients), optimizer);
        }
    }

    /** {@return the states of a model that computes in this type} */
    public static ModelStates of(DType dtype) {
        return switch (dtype) {
            case F32 -> FP32;
            case BF16, F16 -> MIXED;
            case F64, I32 -> throw new IllegalArgumentException(dtype + ": no type of weights");
        };
    }

    /**
     * {@return the states of a model in this precision}
     *
     * <p>Beside the BF16 weight, split masters take 2 bytes and BF16 masters none; BF16 moments take 2 bytes each. Where weights
     * are in files, BF16 masters are beside them there, which are 2 bytes more.
     */
    public static ModelStates of(Precision precision) {
        StatePrecision states = precision.states();
        int masters = switch (states.masterWeights()) {
            case FP32 -> DType.F32.byteSize();
            case SPLIT -> DType.BF16.byteSize();
            case BF16 -> 0;
        };
        int lessMasters = DType.F32.byteSize() - masters;
        int lessMoments = 2 * (DType.F32.byteSize() - states.optimizerStates().byteSize());
        ModelStates full = of(precision.weights());
        return new ModelStates(full.weightBytes, full.gradientBytes, full.optimizerBytes - lessMasters - lessMoments);
    }

    /**
     * {@return what one of the ranks keeps}
     *
     * @param parameters Ψ
     * @param ranks N
     */
    public PerRank perRank(long parameters, int ranks, ZeroStage stage) {
        if (parameters < 1 || ranks < 1) {
            throw new IllegalArgumentException(
                    parameters + " parameters on " + ranks + " ranks: both must be at least 1");
        }
        return new PerRank(
                bytes(weightBytes, parameters, weightsSharded(stage) ? ranks : 1),
                bytes(gradientBytes, parameters, gradientsSharded(stage) ? ranks : 1),
                bytes(optimizerBytes, parameters, optimizerSharded(stage) ? ranks : 1));
    }

    private static long bytes(int bytes, long parameters, int ranks) {
        return Math.ceilDiv(Math.multiplyExact(parameters, (long) bytes), ranks);
    }

    /**
     * {@return how many parameters fit}
     *
     * @param memoryBytes of a rank
     */
    public long mostParameters(long memoryBytes, int ranks, ZeroStage stage) {
        return (long) (memoryBytes / (whole(stage) + (double) sharded(stage) / ranks));
    }

    /**
     * {@return on how many ranks a model fits at least; 0 if on none}
     *
     * @param memoryBytes of a rank
     */
    public long fewestRanks(long parameters, long memoryBytes, ZeroStage stage) {
        long left = memoryBytes - Math.multiplyExact(parameters, (long) whole(stage));
        if (sharded(stage) == 0) {
            return left >= 0 ? 1 : 0;
        }
        return left <= 0 ? 0 : Math.ceilDiv(Math.multiplyExact(parameters, (long) sharded(stage)), left);
    }

    /** Bytes of a parameter that every rank keeps. */
    private int whole(ZeroStage stage) {
        return weightBytes + gradientBytes + optimizerBytes - sharded(stage);
    }

    /** Bytes of a parameter that are spread over the ranks. */
    private int sharded(ZeroStage stage) {
        return (weightsSharded(stage) ? weightBytes : 0)
                + (gradientsSharded(stage) ? gradientBytes : 0)
                + (optimizerSharded(stage) ? optimizerBytes : 0);
    }

    private static boolean optimizerSharded(ZeroStage stage) {
        return stage.number() >= ZeroStage.OPTIMIZER_STATES.number();
    }

    private static boolean gradientsSharded(ZeroStage stage) {
        return stage.number() >= ZeroStage.GRADIENTS.number();
    }

    private static boolean weightsSharded(ZeroStage stage) {
        return stage.number() >= ZeroStage.PARAMETERS.number();
    }
}
