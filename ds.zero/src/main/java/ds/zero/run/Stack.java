package ds.zero.run;

import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.Rendezvous;
import ds.api.spi.CommunicatorProvider;
import ds.api.spi.Providers;
import ds.zero.config.RuntimeConfig;

/**
 * The device and the group of this rank, composed of the providers that a configuration names.
 *
 * @param backend owned
 * @param communicator owned
 */
public record Stack(TensorBackend backend, Communicator communicator) implements AutoCloseable {
    /**
     * Opens both; returns once all ranks have joined.
     *
     * @return handed over
     * @throws ds.api.spi.ProviderException if a provider is unknown or not available
     * @throws ds.api.comm.CommunicatorException if not all ranks come within the deadline
     */
    public static Stack open(RuntimeConfig config, Rendezvous rendezvous) {
        var backends = Providers.backends().get(config.backend());
        var communicators = Providers.communicators().get(config.communicator());
        return join(
                backends.open(rendezvous.localRank(), config.backendProviderOptions()),
                communicators,
                config,
                rendezvous);
    }

    /**
     * Opens the communicator beside a backend; returns once all ranks have joined.
     *
     * @param backend handed over, and closed if that fails
     * @return handed over
     * @throws ds.api.comm.CommunicatorException if not all ranks come within the deadline
     */
    public static Stack join(
            TensorBackend backend, CommunicatorProvider communicators, RuntimeConfig config, Rendezvous rendezvous) {
        try {
            return new Stack(backend, communicators.open(rendezvous, config.communicatorProviderOptions()));
        } catch (RuntimeException e) {
            backend.close();
            throw e;
        }
    }

    @Override
    public void close() {
        try {
            communicator.close();
        } finally {
            backend.close();
        }
    }
}
