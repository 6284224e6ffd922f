package ds.backend.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import ds.cuda.CudaException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Matrix products by cuBLASLt, in its own terms: column-major matrices. The device is that of the calling thread. */
public final class CublasLt implements AutoCloseable {
    /** How much memory a product may use beside its operands. */
    public static final long WORKSPACE_BYTES = 32L << 20;

    // cudaDataType_t
    private static final int R_32F = 0;
    // cublasComputeType_t
    private static final int COMPUTE_32F = 68;
    private static final int COMPUTE_32F_FAST_TF32 = 77;
    // cublasLtMatmulDescAttributes_t
    private static final int TRANSPOSE_A = 3;
    private static final int TRANSPOSE_B = 4;
    private static final int EPILOGUE = 7;
    private static final int BIAS_POINTER = 8;
    private static final int AUXILIARY_POINTER = 11;
    private static final int AUXILIARY_LEADING_DIMENSION = 12;
    // What choosing an algorithm takes for the alignment of pointers that it does not follow.
    private static final long ALIGNED = 16;
    // cublasLtMatmulPreferenceAttributes_t
    private static final int MAX_WORKSPACE_BYTES = 1;
    private static final int REDUCTION_SCHEMES = 3;
    private static final int FIRST_MIN_ALIGNMENT = 5; // of A; then B, C, D
    // cublasLtReductionScheme_t: parts of a split depth are added in the type in which they were computed
    private static final int REDUCTION_IN_COMPUTE_TYPE = 2;
    // cublasLtMatmulHeuristicResult_t: algorithm, workspace, status, waves, reserved
    private static final long ALGORITHM_BYTES = 64;
    private static final long RESULT_BYTES = 96;
    private static final long RESULT_STATE = 72;
    private static final int INVALID_VALUE = 7;
    private static final int NOT_SUPPORTED = 15;

    private final CublasLtLibrary library;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment one = arena.allocateFrom(JAVA_FLOAT, 1);
    private final MemorySegment zero = arena.allocateFrom(JAVA_FLOAT, 0);
    private final List<Product> products = new ArrayList<>();
    private long handle;

    /** A column-major matrix: the number of its type as cudaDataType_t, rows, columns. Rows are also its leading dimension. */
    public record Matrix(int type, long rows, long columns) {}

    /** What is done with a product before it is stored; numbers of cublasLtEpilogue_t. */
    public enum Epilogue {
        /** Nothing. */
        NONE(1, false, false),
        /** A vector of D's type, an element for each row, is added. */
        BIAS(4, true, false),
        /** As {@link #BIAS}; the sum goes to a matrix of D's type and shape beside it, GELU of the sum, by tanh, to D. */
        GELU(164, true, true),
        /** Multiplied by GELU's derivative at what {@link #GELU} has left beside D. */
        GELU_GRADIENT(192, false, true);

        private final int number;
        private final boolean bias;
        private final boolean auxiliary;

        Epilogue(int number, boolean bias, boolean auxiliary) {
            this.number = number;
            this.bias = bias;
            this.auxiliary = auxiliary;
        }
    }

    /**
     * Addresses of what a product needs.
     *
     * @param bias 0 where there is none
     * @param auxiliary the matrix beside D, at a multiple of 16; 0 where there is none
     */
    public record Operands(long a, long b, long d, long bias, long auxiliary) {}

    /**
     * What is multiplied: {@code D = op(A) op(B) + beta D}.
     *
     * @param alignments of A, B and D, in bytes
     */
    public record Problem(
            Matrix a,
            boolean transposeA,
            Matrix b,
            boolean transposeB,
            Matrix d,
            Epilogue epilogue,
            boolean tf32,
            List<Integer> alignments) {}

    /**
     * Loads the library.
     *
     * @param majors versions of CUDA, in order of preference
     * @throws LinkageError if there is none
     */
    public CublasLt(List<Integer> majors) {
        library = new CublasLtLibrary(
                majors.stream().map(major -> "libcublasLt.so." + major).toList());
    }

    /** Prepares it for the calling thread's device. */
    public synchronized void open() {
        handle = make("cublasLtCreate", library::create);
    }

    /** A problem, described to the library, with the algorithm that it has chosen. */
    public final class Product {
        private final long desc;
        private final long a;
        private final long b;
        private final long d;
        private final MemorySegment algorithm;
        private final Epilogue epilogue;
        private final MemorySegment pointer = arena.allocate(JAVA_LONG);

        private Product(Epilogue epilogue, long desc, long a, long b, long d, MemorySegment algorithm) {
            this.epilogue = epilogue;
            this.desc = desc;
            this.a = a;
            this.b = b;
            this.d = d;
            this.algorithm = algorithm;
        }

        /**
         * Enqueues it.
         *
         * @param workspace {@link #WORKSPACE_BYTES} of device memory
         */
        public synchronized void run(Operands operands, boolean add, long workspace, long stream) {
            if (epilogue.bias) {
                point(BIAS_POINTER, operands.bias());
            }
            if (epilogue.auxiliary) {
                point(AUXILIARY_POINTER, operands.auxiliary());
            }
            check(
                    library.matmul(
                            handle,
                            desc,
                            one.address(),
                            operands.a(),
                            a,
                            operands.b(),
                            b,
                            (add ? one : zero).address(),
                            operands.d(),
                            d,
                            operands.d(),
                            d,
                            algorithm.address(),
                            workspace,
                            WORKSPACE_BYTES,
                            stream),
                    "cublasLtMatmul");
        }

        private void point(int attribute, long address) {
            pointer.set(JAVA_LONG, 0, address);
            set(desc, attribute, pointer);
        }
    }

    /** {@return how the library computes it; empty if it cannot} */
    public synchronized Optional<Product> prepare(Problem problem) {
        long desc = make(
                "cublasLtMatmulDescCreate",
                result -> library.descCreate(result, problem.tf32() ? COMPUTE_32F_FAST_TF32 : COMPUTE_32F, R_32F));
        set(desc, TRANSPOSE_A, problem.transposeA() ? 1 : 0);
        set(desc, TRANSPOSE_B, problem.transposeB() ? 1 : 0);
        Epilogue epilogue = problem.epilogue();
        set(desc, EPILOGUE, epilogue.number);
        if (epilogue.bias) {
            setLong(desc, BIAS_POINTER, ALIGNED);
        }
        if (epilogue.auxiliary) {
            setLong(desc, AUXILIARY_POINTER, ALIGNED);
            setLong(desc, AUXILIARY_LEADING_DIMENSION, problem.d().rows());
        }
        long a = layout(problem.a());
        long b = layout(problem.b());
        long d = layout(problem.d());
        MemorySegment result = arena.allocate(RESULT_BYTES, 16);
        if (!choose(problem, new long[] {desc, a, b, d}, result)) {
            destroy(desc, a, b, d);
            return Optional.empty();
        }
        Product product = new Product(epilogue, desc, a, b, d, result.asSlice(0, ALGORITHM_BYTES));
        products.add(product);
        return Optional.of(product);
    }

    private boolean choose(Problem problem, long[] handles, MemorySegment result) {
        long preference = make("cublasLtMatmulPreferenceCreate", library::preferenceCreate);
        try (Arena local = Arena.ofConfined()) {
            MemorySegment value = local.allocateFrom(JAVA_LONG, WORKSPACE_BYTES);
            prefer(preference, MAX_WORKSPACE_BYTES, value, Long.BYTES);
            value.set(JAVA_INT, 0, REDUCTION_IN_COMPUTE_TYPE);
            prefer(preference, REDUCTION_SCHEMES, value, Integer.BYTES);
            int[] operands = {0, 1, 2, 2}; // C is D
            for (int i = 0; i < operands.length; i++) {
                value.set(JAVA_INT, 0, problem.alignments().get(operands[i]));
                prefer(preference, FIRST_MIN_ALIGNMENT + i, value, Integer.BYTES);
            }
            MemorySegment found = local.allocate(JAVA_INT);
            int status = library.heuristic(
                    handle,
                    handles[0],
                    handles[1],
                    handles[2],
                    handles[3],
                    handles[3],
                    preference,
                    1,
                    result.address(),
                    found.address());
            // A version that does not know an epilogue, or not for these sizes, calls it invalid.
            if (status != NOT_SUPPORTED && status != INVALID_VALUE) {
                check(status, "cublasLtMatmulAlgoGetHeuristic");
            }
            return status == 0 && found.get(JAVA_INT, 0) > 0 && result.get(JAVA_INT, RESULT_STATE) == 0;
        } finally {
            check(library.preferenceDestroy(preference), "cublasLtMatmulPreferenceDestroy");
        }
    }

    private void prefer(long preference, int attribute, MemorySegment value, long bytes) {
        check(
                library.preferenceSet(preference, attribute, value.address(), bytes),
                "cublasLtMatmulPreferenceSetAttribute " + attribute);
    }

    private void set(long desc, int attribute, int number) {
        try (Arena local = Arena.ofConfined()) {
            set(desc, attribute, local.allocateFrom(JAVA_INT, number));
        }
    }

    private void setLong(long desc, int attribute, long number) {
        try (Arena local = Arena.ofConfined()) {
            set(desc, attribute, local.allocateFrom(JAVA_LONG, number));
        }
    }

    private void set(long desc, int attribute, MemorySegment value) {
        check(
                library.descSet(desc, attribute, value.address(), value.byteSize()),
                "cublasLtMatmulDescSetAttribute " + attribute);
    }

    private long layout(Matrix matrix) {
        return make(
                "cublasLtMatrixLayoutCreate",
                result -> library.layoutCreate(result, matrix.type(), matrix.rows(), matrix.columns(), matrix.rows()));
    }

    private void destroy(long desc, long... layouts) {
        check(library.descDestroy(desc), "cublasLtMatmulDescDestroy");
        for (long layout : layouts) {
            check(library.layoutDestroy(layout), "cublasLtMatrixLayoutDestroy");
        }
    }

    /** A call that writes one handle. */
    @FunctionalInterface
    private interface Making {
        int make(long result);
    }

    private static long make(String call, Making making) {
        try (Arena local = Arena.ofConfined()) {
            MemorySegment result = local.allocate(JAVA_LONG);
            check(making.make(result.address()), call);
            return result.get(JAVA_LONG, 0);
        }
    }

    private static void check(int status, String call) {
        if (status != 0) {
            String name = switch (status) {
                case 1 -> "not initialised";
                case 3 -> "allocation failed: leave it some memory of the device";
                case INVALID_VALUE -> "invalid value";
                case 8 -> "the device's architecture is not supported: this needs another version of CUDA";
                case 13 -> "execution failed";
                case NOT_SUPPORTED -> "not supported";
                default -> "failed";
            };
            throw new CudaException("cuBLASLt: " + call + ": " + name + " (" + status + ")", status);
        }
    }

    @Override
    public synchronized void close() {
        products.forEach(product -> destroy(product.desc, product.a, product.b, product.d));
        if (handle != 0) {
            check(library.destroy(handle), "cublasLtDestroy");
        }
        arena.close();
    }
}
