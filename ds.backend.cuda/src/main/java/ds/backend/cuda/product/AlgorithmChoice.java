package ds.backend.cuda.product;

import ds.api.OutOfDeviceMemoryException;
import ds.backend.cuda.driver.CublasLt.Algorithm;
import ds.backend.cuda.driver.CublasLt.Operands;
import ds.backend.cuda.driver.CublasLt.Problem;
import ds.backend.cuda.driver.CublasLt.Product;
import java.util.List;
import java.util.Locale;
import java.util.function.IntSupplier;

/**
 * With which of cuBLASLt's algorithms a product runs: with the first that its heuristics name, or with the fastest of several, measured with
 * the operands of the first call. Algorithms differ in the order of their sums. So what was chosen is kept in a file, for the same bits in
 * later runs, and on all ranks of a host.
 */
public final class AlgorithmChoice {
    private static final System.Logger LOG = System.getLogger(AlgorithmChoice.class.getName());

    private final int candidates;
    private final AlgorithmFile file;

    /** A call of a product. */
    record Call(Operands operands, boolean add, Products.Place place) {}

    /** Of so many algorithms; of one nothing is measured, and the file not touched. */
    public AlgorithmChoice(int candidates, AlgorithmFile file) {
        this.candidates = candidates;
        this.file = file;
    }

    /** {@return how many algorithms a product should have to choose from} */
    int candidates() {
        return candidates;
    }

    /** Chooses for a product on its first call. Leaves the call's operands as they are, but for what the call will overwrite. */
    void choose(Problem problem, Product product, Call call) {
        List<Algorithm> algorithms = product.candidates();
        if (algorithms.size() == 1) {
            return;
        }
        String key = problem + " of " + candidates;
        product.use(file.find(key, algorithms).orElseGet(() -> measured(key, problem, product, call)));
    }

    private Algorithm measured(String key, Problem problem, Product product, Call call) {
        try (SpareOperands spare = new SpareOperands(problem, call)) {
            // Before the file is locked: what is enqueued here may wait for a rank of this host, which may wait for the
            // file.
            AlgorithmTimes times = new AlgorithmTimes(product, spare.operands(), call.add(), call.place());
            return file.findOrKeep(key, product.candidates(), () -> fastest(key, times));
        } catch (OutOfDeviceMemoryException e) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "not measured, and kept with the first algorithm, for want of memory: {0}: {1}",
                    key,
                    e.getMessage());
            IntSupplier first = () -> 0; // kept too: with more memory in a later run it would have other bits
            return file.findOrKeep(key, product.candidates(), first);
        }
    }

    private static int fastest(String key, AlgorithmTimes times) {
        AlgorithmTimes.Result result = times.measure();
        LOG.log(
                System.Logger.Level.DEBUG,
                "{0}: algorithm {1} takes {2} us, the first {3} us",
                key,
                result.fastest(),
                micros(result.fastestMicros()),
                micros(result.firstMicros()));
        return result.fastest();
    }

    private static String micros(double micros) {
        return String.format(Locale.ROOT, "%.1f", micros);
    }
}
