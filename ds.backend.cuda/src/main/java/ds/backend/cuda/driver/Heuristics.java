package ds.backend.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import ds.backend.cuda.driver.CublasLt.Algorithm;
import ds.backend.cuda.driver.CublasLt.Described;
import ds.backend.cuda.driver.CublasLt.Problem;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** With which algorithms the library would compute a problem. */
final class Heuristics {
    /** Of a cublasLtMatmulAlgo_t. */
    static final long ALGORITHM_BYTES = 64;

    // cublasLtMatmulPreferenceAttributes_t
    private static final int MAX_WORKSPACE_BYTES = 1;
    private static final int REDUCTION_SCHEMES = 3;
    private static final int FIRST_MIN_ALIGNMENT = 5; // of A; then B, C, D
    // cublasLtReductionScheme_t: parts of a split depth are added in the type in which they were computed
    private static final int REDUCTION_IN_COMPUTE_TYPE = 2;
    // cublasLtMatmulHeuristicResult_t: algorithm, workspace, status, waves, reserved
    private static final long RESULT_BYTES = 96;
    private static final long RESULT_STATE = 72;

    private final CublasLtLibrary library;
    private final long handle;

    Heuristics(CublasLtLibrary library, long handle) {
        this.library = library;
        this.handle = handle;
    }

    /**
     * {@return algorithms, the one first that the library takes for the fastest; none if it cannot compute the problem}
     *
     * @param requested how many at most
     */
    List<Algorithm> algorithms(Problem problem, Described described, int requested) {
        long preference = CublasLt.make("cublasLtMatmulPreferenceCreate", library::preferenceCreate);
        try (Arena local = Arena.ofConfined()) {
            MemorySegment value = local.allocateFrom(JAVA_LONG, CublasLt.WORKSPACE_BYTES);
            prefer(preference, MAX_WORKSPACE_BYTES, value, Long.BYTES);
            value.set(JAVA_INT, 0, REDUCTION_IN_COMPUTE_TYPE);
            prefer(preference, REDUCTION_SCHEMES, value, Integer.BYTES);
            int[] operands = {0, 1, 2, 2}; // C is D
            for (int i = 0; i < operands.length; i++) {
                value.set(JAVA_INT, 0, problem.alignments().get(operands[i]));
                prefer(preference, FIRST_MIN_ALIGNMENT + i, value, Integer.BYTES);
            }
            MemorySegment results = local.allocate(RESULT_BYTES * requested, 16);
            MemorySegment found = local.allocate(JAVA_INT);
            int status = library.heuristic(
                    handle,
                    described.desc(),
                    described.a(),
                    described.b(),
                    described.d(),
                    described.d(),
                    preference,
                    requested,
                    results.address(),
                    found.address());
            // A version that does not know an epilogue, or not for these sizes, calls it invalid.
            if (status == CublasLt.NOT_SUPPORTED || status == CublasLt.INVALID_VALUE) {
                return List.of();
            }
            CublasLt.check(status, "cublasLtMatmulAlgoGetHeuristic");
            return usable(results.asSlice(0, RESULT_BYTES * found.get(JAVA_INT, 0)));
        } finally {
            CublasLt.check(library.preferenceDestroy(preference), "cublasLtMatmulPreferenceDestroy");
        }
    }

    private static List<Algorithm> usable(MemorySegment results) {
        List<Algorithm> algorithms = new ArrayList<>();
        for (long at = 0; at < results.byteSize(); at += RESULT_BYTES) {
            if (results.get(JAVA_INT, at + RESULT_STATE) == 0) {
                byte[] bytes = results.asSlice(at, ALGORITHM_BYTES).toArray(ValueLayout.JAVA_BYTE);
                algorithms.add(new Algorithm(HexFormat.of().formatHex(bytes)));
            }
        }
        return List.copyOf(algorithms);
    }

    private void prefer(long preference, int attribute, MemorySegment value, long bytes) {
        CublasLt.check(
                library.preferenceSet(preference, attribute, value.address(), bytes),
                "cublasLtMatmulPreferenceSetAttribute " + attribute);
    }
}
