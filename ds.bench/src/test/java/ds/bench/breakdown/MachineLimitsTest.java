package ds.bench.breakdown;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.DType;
import ds.bench.breakdown.MachineLimits.Resource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** A machine of 100 FLOP/s, of which 10 may be values of e^x, whose memory reads 8, writes 4, copies 5 and updates 10 B/s. */
class MachineLimitsTest {
    private static final MachineLimits LIMITS = new MachineLimits(
            Map.of(
                    DType.F32,
                    List.of(
                            new MatrixRate.Measured(Product.square(2, DType.F32), 60),
                            new MatrixRate.Measured(Product.square(4, DType.F32), 100))),
            new MemoryBandwidth(8, 4, 5, 10),
            10);

    private static KernelCall call(double flops, double exponentials, Moved moved) {
        return new KernelCall("kernel", "", DType.F32, Optional.empty(), flops, exponentials, moved);
    }

    private static void check(double seconds, Resource resource, KernelCall call) {
        assertEquals(seconds, LIMITS.seconds(call), 1e-12);
        assertEquals(resource, LIMITS.resource(call));
    }

    @Test
    void theFastestProductIsTheLimitOfProducts() {
        check(3, Resource.PRODUCTS, call(300, 0, new Moved(8, 0, 0)));
    }

    @Test
    void exponentialsAndProductsShareTheProcessor() {
        check(5, Resource.PRODUCTS, call(300, 20, Moved.NOTHING));
        check(7, Resource.EXPONENTIALS, call(300, 40, Moved.NOTHING));
    }

    @Test
    void memoryIsAsFastAsTheLoopThatMovesAlike() {
        check(2, Resource.MEMORY, call(0, 0, new Moved(16, 0, 0)));
        check(4, Resource.MEMORY, call(0, 0, new Moved(0, 16, 0)));
        check(3, Resource.MEMORY, call(0, 0, new Moved(0, 0, 30)));
        check(4, Resource.MEMORY, call(0, 0, new Moved(10, 10, 0)));
        check(4 + 2, Resource.MEMORY, call(0, 0, new Moved(10 + 16, 10, 0)));
        check(4 + 3 + 1, Resource.MEMORY, call(0, 0, new Moved(10, 10 + 12, 10)));
    }

    @Test
    void memoryAndProcessorWorkAtTheSameTime() {
        check(4, Resource.MEMORY, call(300, 0, new Moved(10, 10, 0)));
    }
}
