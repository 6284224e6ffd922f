package ds.api.spi;

import ds.api.TensorBackend;

/** Opens devices of one kind. */
public interface TensorBackendProvider extends Provider {
    /**
     * Opens the device of a rank.
     *
     * @param localRank which of the host's ranks asks: usually the index of its device
     * @param options of this provider; unknown ones are an error
     * @return handed over
     */
    TensorBackend open(int localRank, ProviderOptions options);
}
