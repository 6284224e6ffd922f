package ds.zero.plan;

import ds.api.Device;
import ds.api.spi.CommunicatorProvider;
import ds.api.spi.Provider;
import ds.api.spi.Providers;
import ds.api.spi.TensorBackendProvider;
import ds.zero.config.RuntimeConfig;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * What a plan has to know about providers without opening them.
 *
 * @param device of the backend
 * @param reached the devices whose tensors the communicator accepts
 */
record PlannedMachine(Device device, Predicate<Device> reached) {
    /**
     * {@return the machine that a configuration names}
     *
     * <p>A provider that is not at hand is taken for one of a device of its own, named as it is, and a communicator for one that
     * reaches every device.
     */
    static PlannedMachine of(RuntimeConfig runtime) {
        Optional<TensorBackendProvider> backend = named(Providers.backends(), runtime.backend());
        String type = backend.map(TensorBackendProvider::deviceType)
                .orElse(runtime.backend().equals(runtime.hostBackend()) ? Device.HOST.type() : runtime.backend());
        Optional<CommunicatorProvider> communicator = named(Providers.communicators(), runtime.communicator());
        return new PlannedMachine(
                new Device(type, 0),
                device ->
                        communicator.map(found -> found.reaches(device.type())).orElse(true));
    }

    private static <P extends Provider> Optional<P> named(Providers<P> providers, String name) {
        return providers.all().stream()
                .filter(provider -> provider.name().equals(name))
                .findFirst();
    }
}
