package ds.backend.cuda.product;

import ds.api.CoreKernels.Operand;
import ds.api.DType;
import ds.api.Tensor;
import ds.backend.cuda.driver.CublasLt;
import ds.backend.cuda.driver.CublasLt.Epilogue;
import ds.backend.cuda.driver.CublasLt.Matrix;
import ds.backend.cuda.driver.CublasLt.Problem;
import ds.backend.cuda.driver.CublasLt.Product;
import ds.backend.cuda.launch.CudaStream;
import ds.backend.cuda.launch.Launcher;
import ds.backend.cuda.launch.WorkMemory;
import ds.cuda.CudaDevice;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Matrix products: cuBLASLt's, whose choice of an algorithm is kept for each problem; by a kernel of our own where it has none. Row-major
 * {@code C = A B} is column-major {@code Cᵀ = Bᵀ Aᵀ}, so that the factors change places and nothing is transposed.
 */
public final class Products implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Products.class.getName());
    private static final int LARGE = 1 << 20; // elements of a product that training would wait for
    private static final int TILE = 16;
    private static final int MAX_ALIGNMENT = 16;
    private static final int LEADING_DIMENSION = 8; // of what GELU takes: a multiple of it
    private static final int TYPE_F32 = 0; // cudaDataType_t
    private static final int TYPE_F16 = 2;
    private static final int TYPE_BF16 = 14;

    private final CudaDevice device;
    private final CublasLt library;
    private final Precision precision;
    private final AlgorithmChoice choice;
    private final Map<Problem, Optional<Product>> prepared = new HashMap<>();

    /**
     * What products may do to be faster.
     *
     * @param tf32 whether those of F32 may round their factors to 10 bits
     * @param gelu whether GELU may be an epilogue of those of 16 bits
     */
    public record Precision(boolean tf32, boolean gelu) {}

    public Products(CudaDevice device, CublasLt library, Precision precision, AlgorithmChoice choice) {
        this.device = device;
        this.library = library;
        this.precision = precision;
        this.choice = choice;
        device.bind();
        library.open();
    }

    /** What a product runs with: of one stream. */
    public record Place(CudaStream stream, Launcher launcher, WorkMemory work) {}

    /**
     * What is done with a product on its way to memory.
     *
     * @param bias of its type; null for none
     * @param inner what GELU takes, of its type and shape; null for none
     */
    public record Ending(Epilogue epilogue, Tensor bias, Tensor inner) {
        public static final Ending NONE = new Ending(Epilogue.NONE, null, null);

        public static Ending bias(Tensor bias) {
            return new Ending(Epilogue.BIAS, bias, null);
        }

        public static Ending gelu(Tensor bias, Tensor inner) {
            return new Ending(Epilogue.GELU, bias, inner);
        }

        public static Ending geluGradient(Tensor inner) {
            return new Ending(Epilogue.GELU_GRADIENT, null, inner);
        }

        private static boolean fits(Tensor operand, Tensor c) {
            return operand == null || (operand.dtype() == c.dtype() && operand.address() % MAX_ALIGNMENT == 0);
        }

        boolean fits(Tensor c) {
            boolean rows = inner == null || c.shape().columns() % LEADING_DIMENSION == 0;
            return rows && fits(bias, c) && fits(inner, c);
        }

        boolean isGelu() {
            return inner != null;
        }

        private long biasAddress() {
            return bias == null ? 0 : bias.address();
        }

        private long innerAddress() {
            return inner == null ? 0 : inner.address();
        }
    }

    /**
     * Enqueues {@code c = a b}, or {@code + c}, with an ending.
     *
     * @return whether it could be; if not, nothing was done. Without an ending it always can
     */
    public boolean run(Operand a, Operand b, Tensor c, Ending ending, boolean add, Place place) {
        Optional<Product> product = lookUp(a, b, c, ending, add, place);
        if (product.isPresent()) {
            device.bind();
            product.get()
                    .run(
                            operands(a, b, c, ending),
                            add,
                            place.work().of(CublasLt.WORKSPACE_BYTES),
                            place.stream().handle());
            return true;
        }
        if (ending.epilogue() != Epilogue.NONE) {
            return false;
        }
        launch(a, b, c, add, place.launcher());
        return true;
    }

    private static CublasLt.Operands operands(Operand a, Operand b, Tensor c, Ending ending) {
        return new CublasLt.Operands(
                b.tensor().address(), a.tensor().address(), c.address(), ending.biasAddress(), ending.innerAddress());
    }

    private Optional<Product> lookUp(Operand a, Operand b, Tensor c, Ending ending, boolean add, Place place) {
        DType in = a.tensor().dtype();
        if (in != b.tensor().dtype() || (c.dtype() != in && c.dtype() != DType.F32)) {
            return Optional.empty();
        }
        // Its tanh may be the device's own, which is good for numbers of 16 bits.
        boolean permitted = !ending.isGelu() || (precision.gelu() && in == c.dtype() && in != DType.F32);
        if (!permitted || !ending.fits(c)) {
            return Optional.empty();
        }
        Problem problem = new Problem(
                matrix(b.tensor()),
                b.transposed(),
                matrix(a.tensor()),
                a.transposed(),
                matrix(c, a.rows(), b.columns()),
                ending.epilogue(),
                precision.tf32() && in == DType.F32,
                List.of(alignment(b.tensor()), alignment(a.tensor()), alignment(c)));
        synchronized (prepared) {
            Optional<Product> product = prepared.get(problem);
            if (product == null) {
                device.bind();
                product = library.prepare(problem, choice.candidates());
                if (product.isPresent()) {
                    choice.choose(
                            problem, product.get(), new AlgorithmChoice.Call(operands(a, b, c, ending), add, place));
                } else {
                    LOG.log(
                            c.elements() < LARGE ? System.Logger.Level.DEBUG : System.Logger.Level.WARNING,
                            "cuBLASLt has no algorithm for {0}: kernels of our own, which are slow, take its place",
                            problem);
                }
                prepared.put(problem, product);
            }
            return product;
        }
    }

    private static Matrix matrix(Tensor tensor) {
        return matrix(tensor, tensor.shape().rows(), tensor.shape().columns());
    }

    private static Matrix matrix(Tensor tensor, long rows, long columns) {
        int type = switch (tensor.dtype()) {
            case F32 -> TYPE_F32;
            case F16 -> TYPE_F16;
            case BF16 -> TYPE_BF16;
            case F64, I32 -> throw new IllegalArgumentException("a matrix product of " + tensor);
        };
        return new Matrix(type, /* rows= */ columns, /* columns= */ rows); // column-major: transposed
    }

    private static int alignment(Tensor tensor) {
        return (int) Math.min(MAX_ALIGNMENT, Long.lowestOneBit(tensor.address()));
    }

    private static void launch(Operand a, Operand b, Tensor c, boolean add, Launcher launcher) {
        launcher.of("product", "product").typed(a.tensor());
        strides(launcher, a);
        launcher.typed(b.tensor());
        strides(launcher, b);
        launcher.typed(c)
                .number(a.rows())
                .number(b.columns())
                .number(a.columns())
                .number(add ? 1 : 0)
                .run(Math.ceilDiv(b.columns(), TILE), Math.ceilDiv(a.rows(), TILE), TILE, TILE);
    }

    private static void strides(Launcher launcher, Operand operand) {
        long columns = operand.tensor().shape().columns();
        launcher.number(operand.transposed() ? 1L : columns).number(operand.transposed() ? columns : 1L);
    }

    @Override
    public void close() {
        device.bind();
        library.close();
    }
}
