package ds.backend.cpu;

import ds.api.TensorBackend;
import ds.api.spi.ProviderOptions;
import ds.tck.TensorBackendContract;
import java.util.Map;

/** The contract of every tensor backend. */
class CpuBackendContractTest extends TensorBackendContract {
    @Override
    protected TensorBackend open() {
        return new CpuBackendProvider().open(0, new ProviderOptions("ds.options", Map.of("threads", 2)));
    }
}
