package ds.backend.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import ds.cuda.CudaException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HexFormat;
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
    static final int INVALID_VALUE = 7;
    static final int NOT_SUPPORTED = 15;

    private final CublasLtLibrary library;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment one = arena.allocateFrom(JAVA_FLOAT, 1);
    private final MemorySegment zero = arena.allocateFrom(JAVA_FLOAT, 0);
    private final List<Product> products = new ArrayList<>();
    private long handle;

    /** A column-major matrix: the number of its type as cudaDataType_t, rows, columns. Rows are also its leading dimension. */
    public record Matrix(int type, long rows, long columns) {
        /** {@return how many bytes an element takes} */
        public int elementBytes() {
            return type == R_32F ? Float.BYTES : Short.BYTES;
        }

        /** {@return how many bytes it takes} */
        public long byteSize() {
            return rows * columns * elementBytes();
        }
    }

    /**
     * One way of computing a problem.
     *
     * @param hex the library's opaque cublasLtMatmulAlgo_t, 64 bytes in hexadecimal; may be kept for the same version of the library
     */
    public record Algorithm(String hex) {}

    /** A problem's handles: of its description, and of the layouts of A, B and D. */
    record Described(long desc, long a, long b, long d) {}

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

    /** {@return the library's version, such as 130001} */
    public long version() {
        return library.version();
    }

    /** A problem, described to the library, and the algorithm that it runs with. */
    public final class Product {
        private final Epilogue epilogue;
        private final Described described;
        private final List<Algorithm> candidates;
        private final MemorySegment algorithm = arena.allocate(Heuristics.ALGORITHM_BYTES, 16);
        private final MemorySegment pointer = arena.allocate(JAVA_LONG);

        private Product(Epilogue epilogue, Described described, List<Algorithm> candidates) {
            this.epilogue = epilogue;
            this.described = described;
            this.candidates = candidates;
            use(candidates.getFirst());
        }

        /** {@return the algorithms that it may run with, at least one; the library takes the first for the fastest} */
        public List<Algorithm> candidates() {
            return candidates;
        }

        /** Runs with this one of the candidates from now on; with the first if this is never called. */
        public synchronized void use(Algorithm candidate) {
            algorithm.copyFrom(MemorySegment.ofArray(HexFormat.of().parseHex(candidate.hex())));
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
                            described.desc(),
                            one.address(),
                            operands.a(),
                            described.a(),
                            operands.b(),
                            described.b(),
                            (add ? one : zero).address(),
                            operands.d(),
                            described.d(),
                            operands.d(),
                            described.d(),
                            algorithm.address(),
                            workspace,
                            WORKSPACE_BYTES,
                            stream),
                    "cublasLtMatmul");
        }

        private void point(int attribute, long address) {
            pointer.set(JAVA_LONG, 0, address);
            set(described.desc(), attribute, pointer);
        }
    }

    /**
     * {@return how the library computes it, with the first of the candidates; empty if it cannot}
     *
     * @param candidates how many it is asked for; it may know fewer
     */
    public synchronized Optional<Product> prepare(Problem problem, int candidates) {
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
        Described described = new Described(desc, layout(problem.a()), layout(problem.b()), layout(problem.d()));
        List<Algorithm> found = new Heuristics(library, handle).algorithms(problem, described, candidates);
        if (found.isEmpty()) {
            destroy(described);
            return Optional.empty();
        }
        Product product = new Product(epilogue, described, found);
        products.add(product);
        return Optional.of(product);
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

    private void destroy(Described described) {
        check(library.descDestroy(described.desc()), "cublasLtMatmulDescDestroy");
        for (long layout : new long[] {described.a(), described.b(), described.d()}) {
            check(library.layoutDestroy(layout), "cublasLtMatrixLayoutDestroy");
        }
    }

    /** A call that writes one handle. */
    @FunctionalInterface
    interface Making {
        int make(long result);
    }

    static long make(String call, Making making) {
        try (Arena local = Arena.ofConfined()) {
            MemorySegment result = local.allocate(JAVA_LONG);
            check(making.make(result.address()), call);
            return result.get(JAVA_LONG, 0);
        }
    }

    static void check(int status, String call) {
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
        products.forEach(product -> destroy(product.described));
        if (handle != 0) {
            check(library.destroy(handle), "cublasLtDestroy");
        }
        arena.close();
    }
}
