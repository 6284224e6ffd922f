package ds.zero.config;

import ds.zero.config.json.Block;
import ds.zero.config.json.ConfigException;

/**
 * ZeRO++ (Wang et al., arXiv:2306.10209): less of what travels, above all between hosts.
 *
 * @param quantizedWeights {@code zero_quantized_weights} (qwZ): weights are gathered in 8 bits, at stage 3
 * @param quantizedGradients {@code zero_quantized_gradients} (qgZ): gradients are summed in 4 bits, host by host, at stages 1 to 3
 * @param partitionSize {@code zero_hpz_partition_size} (hpZ): among so many consecutive ranks of the data axis a second copy of the
 *     weights is divided, from which they are gathered once they have been gathered from all; 1 for none
 * @param ranksPerHost how many consecutive ranks of the data axis share a host; 0 for what the communicator knows
 */
public record ZeroPlusPlus(boolean quantizedWeights, boolean quantizedGradients, int partitionSize, int ranksPerHost) {
    /** Everything travels as it is. */
    public static final ZeroPlusPlus NONE = new ZeroPlusPlus(false, false, 1, 0);

    private static final String WEIGHTS = "zero_quantized_weights";
    private static final String GRADIENTS = "zero_quantized_gradients";
    private static final String PARTITION = "zero_hpz_partition_size";
    private static final String PER_HOST = "ranks_per_host";

    /** Rejects groups without ranks. */
    public ZeroPlusPlus {
        if (partitionSize < 1) {
            throw new ConfigException(
                    "zero_optimization." + PARTITION, partitionSize, "must be at least 1", "1 switches it off");
        }
        if (ranksPerHost < 0) {
            throw new ConfigException(
                    RuntimeConfig.BLOCK + "." + PER_HOST,
                    ranksPerHost,
                    "must not be negative",
                    "0 asks the communicator");
        }
    }

    /** {@return as much of it as a stage has} */
    ZeroPlusPlus at(ZeroStage stage) {
        return switch (stage) {
            case DISABLED -> new ZeroPlusPlus(false, false, 1, ranksPerHost);
            case OPTIMIZER_STATES, GRADIENTS -> new ZeroPlusPlus(false, quantizedGradients, 1, ranksPerHost);
            case PARAMETERS -> this;
        };
    }

    /**
     * {@return how many ranks a plan takes to share a host, where no communicator can be asked: what is sent depends on it, and no memory}
     */
    public int plannedRanksPerHost() {
        return ranksPerHost > 0 ? ranksPerHost : partitionSize;
    }

    static ZeroPlusPlus read(Block root, Block zero, ZeroStage stage, Known known) {
        boolean weights = zero.flag(WEIGHTS, false);
        boolean gradients = zero.flag(GRADIENTS, false);
        int partition = (int) zero.integer(PARTITION, 1, 1, Integer.MAX_VALUE);
        if (weights && stage != ZeroStage.PARAMETERS) {
            zero.problem(
                    WEIGHTS,
                    "is for weights that are gathered when they are needed",
                    "set zero_optimization.stage to 3, or remove this key");
        }
        if (gradients && stage == ZeroStage.DISABLED) {
            zero.problem(
                    GRADIENTS,
                    "needs gradients that are summed on one rank each",
                    "set zero_optimization.stage to 1, 2 or 3, or remove this key");
        }
        if (gradients && root.given("communication_data_type") != null) {
            zero.problem(
                    GRADIENTS,
                    "lets gradients travel in 4 bits, and communication_data_type is given as well",
                    "remove one of the two");
        }
        int ranks = dataParallel(root, known);
        if (partition > 1 && stage != ZeroStage.PARAMETERS) {
            zero.problem(PARTITION, "needs sharded weights", "set zero_optimization.stage to 3, or remove this key");
        } else if (ranks % partition != 0) {
            zero.problem(
                    PARTITION,
                    "does not divide the " + ranks + " ranks among which weights are sharded",
                    "choose a divisor of " + ranks + ", such as the number of ranks of a host");
        }
        return new ZeroPlusPlus(weights, gradients, partition, readPerHost(root, ranks, partition, known));
    }

    private static int dataParallel(Block root, Known known) {
        Object tensor = root.block("tensor_parallel").given("autotp_size");
        int size = tensor instanceof Number number ? Math.max(1, number.intValue()) : 1;
        return known.worldSize() % size == 0 ? known.worldSize() / size : known.worldSize(); // reported elsewhere
    }

    private static int readPerHost(Block root, int dataParallel, int partition, Known known) {
        Block own = root.block(RuntimeConfig.BLOCK);
        int perHost = (int) own.integer(PER_HOST, 0, 0, Integer.MAX_VALUE);
        int tensor = known.worldSize() / dataParallel;
        if (perHost > 0 && known.worldSize() % perHost != 0) {
            own.problem(
                    PER_HOST,
                    "does not divide the " + known.worldSize() + " ranks",
                    "start as many ranks on every host, or remove the key");
            return 0;
        }
        int ofData = perHost % tensor == 0 ? perHost / tensor : Math.min(1, perHost);
        if (ofData > 0 && ofData % partition != 0) {
            own.problem(
                    PER_HOST,
                    "makes a host of " + ofData + " ranks that shard weights, which zero_optimization." + PARTITION
                            + " = " + partition + " does not divide: the groups would cross hosts",
                    "choose a divisor of " + ofData + " for that key");
        }
        return ofData;
    }
}
