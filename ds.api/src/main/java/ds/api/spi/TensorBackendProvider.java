package ds.api.spi;

import ds.api.Device;
import ds.api.TensorBackend;
import java.util.Optional;

/** Opens devices of one kind. */
public interface TensorBackendProvider extends Provider {
    /** {@return the {@link Device#type} of the devices it opens, known without opening one: for plans} */
    default String deviceType() {
        return Device.HOST.type();
    }

    /**
     * Opens the device of a rank.
     *
     * @param localRank which of the host's ranks asks: usually the index of its device
     * @param options of this provider; unknown ones are an error
     * @return handed over
     */
    TensorBackend open(int localRank, ProviderOptions options);

    /**
     * Opens a backend beside a rank's own, on which a small model is trained while the run prepares, so that the Java machine has
     * compiled the kernels by then. It computes on the calling thread alone.
     *
     * @return handed over; empty, as by default, if the kernels are compiled beforehand
     */
    default Optional<TensorBackend> openForRehearsal() {
        return Optional.empty();
    }
}
