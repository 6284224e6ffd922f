package ds.backend.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.DType;
import ds.api.TensorBackend;
import ds.api.spi.Availability;
import ds.api.spi.ProviderOptions;
import ds.cuda.CudaDriver;
import ds.tck.AttentionContract;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;

/** Attention's part of the contract, on a device of sm_90 or the emulated one, with option {@code wgmma_attention}. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class WarpgroupAttentionTest implements AttentionContract {
    private TensorBackend backend;

    @BeforeAll
    void openBackend() {
        assumeTrue(new CudaBackendProvider().availability() instanceof Availability.Available, "no GPU");
        CudaDriver.Properties device = new CudaDriver().devices().getFirst();
        assumeTrue(device.architecture().equals("sm_90"), device.architecture());
        backend = openAnother();
    }

    @AfterAll
    void closeBackend() {
        if (backend != null) {
            backend.close();
        }
    }

    @Override
    public TensorBackend backend() {
        return backend;
    }

    @Override
    public TensorBackend openAnother() {
        return new CudaBackendProvider()
                .open(0, new ProviderOptions("ds.backend_options", Map.of("wgmma_attention", true)));
    }

    /** F32 has no such tensor cores. */
    @Override
    public List<DType> floats() {
        return List.of(DType.BF16, DType.F16);
    }
}
