package ds.backend.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.TensorBackend;
import ds.api.spi.Availability;
import ds.api.spi.ProviderOptions;
import ds.tck.TensorBackendContract;

/** The contract of every tensor backend, on the device that is there: a GPU, or the emulated one of profile {@code emulator}. */
class CudaBackendContractTest extends TensorBackendContract {
    @Override
    protected TensorBackend open() {
        CudaBackendProvider provider = new CudaBackendProvider();
        assumeTrue(provider.availability() instanceof Availability.Available, "no GPU");
        return provider.open(0, ProviderOptions.none("ds.options"));
    }
}
