package ds.backend.cuda.product;

import ds.backend.cuda.driver.CublasLt;
import ds.backend.cuda.driver.CublasLt.Operands;
import ds.backend.cuda.driver.CublasLt.Product;
import ds.cuda.CudaException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** Times the algorithms of a product against each other, by the host's clock. */
final class AlgorithmTimes {
    private static final System.Logger LOG = System.getLogger(AlgorithmTimes.class.getName());
    private static final int ROUNDS = 3;
    private static final int MAX_RUNS = 20; // of an algorithm in a round
    private static final long ROUND_NANOS = 1_000_000; // in which waiting for the stream, some 10 us, is noise
    private static final double FASTER = 0.98; // of the first one's time; less of a difference is noise

    private final Product product;
    private final Operands operands;
    private final boolean add;
    private final Products.Place place;
    private final List<Integer> able = new ArrayList<>();

    /**
     * Runs every algorithm once. Then their kernels are loaded, which may wait for all that the device has under way, and the stream is
     * idle: what follows depends on no other rank.
     *
     * @param operands which any number of runs leave as they have to be
     */
    AlgorithmTimes(Product product, Operands operands, boolean add, Products.Place place) {
        this.product = product;
        this.operands = operands;
        this.add = add;
        this.place = place;
        for (int i = 0; i < product.candidates().size(); i++) {
            if (runs(i)) {
                able.add(i);
            }
        }
        place.stream().synchronize();
    }

    /** The heuristics promise much of which the library then says that it is not supported; the first has to run. */
    private boolean runs(int candidate) {
        product.use(product.candidates().get(candidate));
        try {
            enqueue();
            return true;
        } catch (CudaException e) {
            if (candidate == 0) {
                throw e;
            }
            LOG.log(System.Logger.Level.DEBUG, "algorithm {0} is left out: {1}", candidate, e.getMessage());
            return false;
        }
    }

    private void enqueue() {
        product.run(
                operands,
                add,
                place.work().of(CublasLt.WORKSPACE_BYTES),
                place.stream().handle());
    }

    /**
     * What has been measured.
     *
     * @param fastest its index among the candidates; the first if none is faster by more than noise
     */
    record Result(int fastest, double fastestMicros, double firstMicros) {}

    /** {@return the fastest}. In rounds, so that a clock that changes does so for all; the best of them counts */
    Result measure() {
        int runs = Math.clamp(ROUND_NANOS / Math.max(1, nanos(0, 1)), 1, MAX_RUNS);
        long[] best = new long[product.candidates().size()];
        Arrays.fill(best, Long.MAX_VALUE);
        for (int round = 0; round < ROUNDS; round++) {
            for (int candidate : able) {
                best[candidate] = Math.min(best[candidate], nanos(candidate, runs));
            }
        }
        int fastest = able.stream().min(Comparator.comparingLong(i -> best[i])).orElseThrow();
        int chosen = best[fastest] < FASTER * best[0] ? fastest : 0;
        return new Result(chosen, best[chosen] / 1e3 / runs, best[0] / 1e3 / runs);
    }

    private long nanos(int candidate, int runs) {
        product.use(product.candidates().get(candidate));
        place.stream().synchronize();
        long began = System.nanoTime();
        for (int i = 0; i < runs; i++) {
            enqueue();
        }
        place.stream().synchronize();
        return System.nanoTime() - began;
    }
}
