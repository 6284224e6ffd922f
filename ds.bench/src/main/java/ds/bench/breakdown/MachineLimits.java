package ds.bench.breakdown;

import ds.api.DType;
import java.util.List;
import java.util.Map;

/**
 * What this machine can do, measured in the same run as that which is compared with it, on all of the process's threads.
 *
 * @param products every product that was measured, through the backend, by type of its factors
 * @param memory how fast memory beyond all caches is read and written
 * @param exponentialsPerSecond of F32 values of e to the x, in arrays that stay in the first cache; {@link #NOT_MEASURED} where they do
 *     not count: of a device of its own, whose limits are lower bounds of time without them
 */
record MachineLimits(
        Map<DType, List<MatrixRate.Measured>> products, MemoryBandwidth memory, double exponentialsPerSecond) {

    static final double NOT_MEASURED = Double.POSITIVE_INFINITY;

    /** What limits a kernel. */
    enum Resource {
        /** The best matrix product of the run, of the same type. */
        PRODUCTS,
        /** Memory. */
        MEMORY,
        /** The exponential function. */
        EXPONENTIALS
    }

    /** What each limit means, for whoever reads the numbers. */
    static final String DEFINITION =
            "A kernel's limit is the shortest time in which this machine could do it: the longer"
                    + " one of [FLOPs of its products / rate of the best product of this type in this run + values of e^x / rate of"
                    + " e^x] and [bytes that it must move, each operand once, at the rate of the loop that moves them alike, over"
                    + " arrays that no cache holds: update in place for what is updated in place, copy for reading and writing"
                    + " elsewhere, read or write for the rest]. Operands that are still in a cache can make a kernel faster than"
                    + " 100 %.";

    /** {@return the FLOP/s of the fastest product of factors of this type; 0 if none was measured} */
    double matrixRate(DType dtype) {
        return products.getOrDefault(dtype, List.of()).stream()
                .mapToDouble(MatrixRate.Measured::flopsPerSecond)
                .max()
                .orElse(0);
    }

    private double productSeconds(KernelCall call) {
        return call.flops() == 0 ? 0 : call.flops() / matrixRate(call.dtype());
    }

    private double exponentialSeconds(KernelCall call) {
        return call.exponentials() / exponentialsPerSecond;
    }

    private double memorySeconds(KernelCall call) {
        return memory.seconds(call.moved());
    }

    /** {@return the shortest time in which this machine could do it, in seconds} */
    double seconds(KernelCall call) {
        return Math.max(productSeconds(call) + exponentialSeconds(call), memorySeconds(call));
    }

    /** {@return what decides {@link #seconds}} */
    Resource resource(KernelCall call) {
        double products = productSeconds(call);
        double exponentials = exponentialSeconds(call);
        if (memorySeconds(call) >= products + exponentials) {
            return Resource.MEMORY;
        }
        return products >= exponentials ? Resource.PRODUCTS : Resource.EXPONENTIALS;
    }
}
