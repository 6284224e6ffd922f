package ds.tck;

import ds.api.TensorBackend;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;

/**
 * What every {@link TensorBackend} must satisfy. A provider's test extends it and says how to open the backend:
 *
 * {@snippet :
 * class MyBackendTest extends TensorBackendContract {
 *     @Override
 *     protected TensorBackend open() {
 *         return new MyProvider().open(0, ProviderOptions.none("ds.options"));
 *     }
 * }
 * }
 *
 * <p>Every kernel, core and fused, runs beside {@link ReferenceBackend} on the same operands and must agree within a {@link
 * Bound} that follows from types and sizes; in F32, and in BF16 and F16 if {@link TensorBackend#supports} says so. The parts
 * are interfaces, to be read one by one. One backend is open for the whole suite.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class TensorBackendContract
        implements MemoryContract,
                StreamContract,
                CoreKernelsContract,
                RowKernelsContract,
                FusedKernelsContract,
                LayerNormContract,
                AttentionContract,
                LossContract,
                AdamContract,
                OptimizerContract,
                Bf16Contract,
                SignsContract,
                QuantizationContract {
    private TensorBackend backend;

    /** Made by a subclass. */
    protected TensorBackendContract() {}

    /** {@return a new backend, handed over; called more than once} */
    protected abstract TensorBackend open();

    /** Opens the backend of the suite. */
    @BeforeAll
    public void openBackend() {
        backend = open();
    }

    /** Closes the backend of the suite. */
    @AfterAll
    public void closeBackend() {
        if (backend != null) {
            backend.close();
        }
    }

    @Override
    public final TensorBackend backend() {
        return backend;
    }

    @Override
    public final TensorBackend openAnother() {
        return open();
    }
}
