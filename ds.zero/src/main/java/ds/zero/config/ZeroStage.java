package ds.zero.config;

/** What is sharded over the ranks (ZeRO: Rajbhandari et al., SC 2020, arXiv:1910.02054). */
public enum ZeroStage {
    /** Nothing; plain data parallelism. */
    DISABLED(0),
    /** Optimizer states and master weights. */
    OPTIMIZER_STATES(1),
    /** Optimizer states, master weights and gradients. */
    GRADIENTS(2),
    /** Optimizer states, master weights, gradients and the weights themselves. */
    PARAMETERS(3);

    private final int number;

    ZeroStage(int number) {
        this.number = number;
    }

    /** {@return the value of {@code zero_optimization.stage}} */
    public int number() {
        return number;
    }
}
