package ds.zero.config;

import ds.zero.config.json.Block;
import ds.zero.config.json.ConfigException;

/**
 * Over how many ranks each layer is split. Ranks form a mesh: {@code size} consecutive ones share a model, and so many times as there are
 * such groups the batch is divided.
 *
 * @param size {@code tensor_parallel.autotp_size}; 1 for models that are not split
 */
public record TensorParallel(int size) {
    /** No layer is split. */
    public static final TensorParallel NONE = new TensorParallel(1);

    private static final String BLOCK = "tensor_parallel";
    private static final String SIZE = "autotp_size";

    /** Rejects a size below 1. */
    public TensorParallel {
        if (size < 1) {
            throw new ConfigException(
                    BLOCK + "." + SIZE, size, "must be at least 1", "remove the key to split no layer");
        }
    }

    /** Reads the block; 0 is DeepSpeed's word for 1. */
    static TensorParallel read(Block root, Known known, OptimizerConfig optimizer) {
        Block block = root.block(BLOCK);
        int size = (int) Math.max(1, block.integer(SIZE, 0, 0, Integer.MAX_VALUE));
        if (known.worldSize() % size != 0) {
            block.problem(
                    SIZE,
                    "does not divide the " + known.worldSize() + " ranks",
                    "start a multiple of " + size + " ranks, or choose a divisor of " + known.worldSize());
            return NONE;
        }
        if (size > 1 && optimizer.exchangesMomenta()) {
            block.problem(
                    SIZE,
                    "must be 1 for optimizer.type = " + optimizer.type()
                            + ": ranks of a tensor axis would round differently what they have alike",
                    "use AdamW, or remove the key");
            return NONE;
        }
        if (size > 1 && !optimizer.isElementwise()) {
            block.problem(
                    SIZE,
                    "is for optimizers that update element by element, and optimizer.type = " + optimizer.type()
                            + " looks at whole parameters, which no rank has",
                    "use AdamW, Adam, Lion, Adagrad or SGD, or remove the key");
            return NONE;
        }
        return new TensorParallel(size);
    }
}
