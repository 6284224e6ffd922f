package ds.api.spi;

import ds.api.Device;
import ds.api.comm.Communicator;
import ds.api.comm.Rendezvous;

/** Opens communicators of one kind. */
public interface CommunicatorProvider extends Provider {
    /**
     * {@return whether its communicators accept tensors on devices of a type, known without opening one: for plans}
     *
     * @param deviceType as in {@link Device#type}
     */
    default boolean reaches(String deviceType) {
        return deviceType.equals(Device.HOST.type());
    }

    /**
     * Joins the group and returns once every rank has joined.
     *
     * @param options of this provider; unknown ones are an error
     * @return handed over
     * @throws ds.api.comm.CommunicatorException if not all ranks come within the deadline
     */
    Communicator open(Rendezvous rendezvous, ProviderOptions options);
}
