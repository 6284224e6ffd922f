package ds.api.spi;

/** Makes optimizers of one kind; selected by {@code optimizer.type}. */
public interface OptimizerProvider extends Provider {
    /**
     * Makes an optimizer.
     *
     * @param options {@code optimizer.params} without {@code lr} and {@code weight_decay}, which come with every step; unknown
     *     ones are an error
     */
    Optimizer create(ProviderOptions options);
}
