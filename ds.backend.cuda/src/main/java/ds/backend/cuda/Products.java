package ds.backend.cuda;

import ds.api.CoreKernels.Operand;
import ds.api.DType;
import ds.api.Tensor;
import ds.backend.cuda.driver.CublasLt;
import ds.backend.cuda.driver.CublasLt.Matrix;
import ds.backend.cuda.driver.CublasLt.Problem;
import ds.backend.cuda.driver.CublasLt.Product;
import ds.cuda.CudaDevice;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Matrix products: cuBLASLt's, whose choice of an algorithm is kept for each problem; by a kernel of our own where it has none. Row-major
 * {@code C = A B} is column-major {@code Cᵀ = Bᵀ Aᵀ}, so that the factors change places and nothing is transposed.
 */
final class Products implements AutoCloseable {
    private static final int TILE = 16;
    private static final int MAX_ALIGNMENT = 16;
    private static final int TYPE_F32 = 0; // cudaDataType_t
    private static final int TYPE_F16 = 2;
    private static final int TYPE_BF16 = 14;

    private final CudaDevice device;
    private final CublasLt library;
    private final boolean tf32;
    private final Map<Problem, Optional<Product>> prepared = new HashMap<>();

    Products(CudaDevice device, CublasLt library, boolean tf32) {
        this.device = device;
        this.library = library;
        this.tf32 = tf32;
        device.bind();
        library.open();
    }

    /** What a product runs with: of one stream. */
    record Place(CudaStream stream, Launcher launcher, WorkMemory work) {}

    /**
     * Enqueues {@code c = a b + bias}, or {@code + c}.
     *
     * @param bias null for none; of c's type
     * @return whether the bias was added; if not, nothing was done
     */
    boolean run(Operand a, Operand b, Tensor c, Tensor bias, boolean add, Place place) {
        Optional<Product> product = lookUp(a, b, c, bias);
        if (product.isPresent()) {
            long biasAddress = bias == null ? 0 : bias.address();
            device.bind();
            product.get()
                    .run(
                            b.tensor().address(),
                            a.tensor().address(),
                            c.address(),
                            add,
                            biasAddress,
                            place.work().of(CublasLt.WORKSPACE_BYTES),
                            place.stream().handle());
            return true;
        }
        if (bias != null) {
            return false;
        }
        launch(a, b, c, add, place.launcher());
        return true;
    }

    private Optional<Product> lookUp(Operand a, Operand b, Tensor c, Tensor bias) {
        DType in = a.tensor().dtype();
        if (in != b.tensor().dtype() || (c.dtype() != in && c.dtype() != DType.F32)) {
            return Optional.empty();
        }
        if (bias != null && (bias.dtype() != c.dtype() || bias.address() % MAX_ALIGNMENT != 0)) {
            return Optional.empty();
        }
        Problem problem = new Problem(
                matrix(b.tensor()),
                b.transposed(),
                matrix(a.tensor()),
                a.transposed(),
                matrix(c, a.rows(), b.columns()),
                bias != null,
                tf32 && in == DType.F32,
                List.of(alignment(b.tensor()), alignment(a.tensor()), alignment(c)));
        synchronized (prepared) {
            Optional<Product> product = prepared.get(problem);
            if (product == null) {
                device.bind();
                product = library.prepare(problem);
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
