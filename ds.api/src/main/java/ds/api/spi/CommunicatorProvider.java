package ds.api.spi;

import ds.api.comm.Communicator;
import ds.api.comm.Rendezvous;

/** Opens communicators of one kind. */
public interface CommunicatorProvider extends Provider {
    /**
     * Joins the group and returns once every rank has joined.
     *
     * @param options of this provider; unknown ones are an error
     * @return handed over
     * @throws ds.api.comm.CommunicatorException if not all ranks come within the deadline
     */
    Communicator open(Rendezvous rendezvous, ProviderOptions options);
}
