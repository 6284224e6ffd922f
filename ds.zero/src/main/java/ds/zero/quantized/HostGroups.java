package ds.zero.quantized;

import ds.api.comm.Communicator;
import ds.zero.timing.StepTimer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The ranks as hosts of as many each: rank r is in place r mod P of host r / P. Where there is one host, or one rank on each, all ranks
 * count as one host, since nothing is gained by two steps.
 */
final class HostGroups implements AutoCloseable {
    private final int perHost;
    private final int hosts;
    private final int rank;
    private final Communicator inHost;
    private final Optional<Communicator> acrossHosts;
    private final List<Communicator> owned;

    private HostGroups(
            int perHost,
            int hosts,
            int rank,
            Communicator inHost,
            Optional<Communicator> acrossHosts,
            List<Communicator> owned) {
        this.perHost = perHost;
        this.hosts = hosts;
        this.rank = rank;
        this.inHost = inHost;
        this.acrossHosts = acrossHosts;
        this.owned = owned;
    }

    /**
     * Forms the groups; all ranks call it.
     *
     * @param all borrowed
     * @param ranksPerHost as configured; 0 for what the communicator knows
     * @param timer is told of what the groups do
     */
    static HostGroups of(Communicator all, int ranksPerHost, StepTimer timer) {
        int perHost = ranksPerHost > 0 ? ranksPerHost : all.ranksPerHost();
        int ranks = all.worldSize();
        if (ranks % perHost != 0) {
            throw new IllegalArgumentException("rank " + all.rank() + ": ds.ranks_per_host makes hosts of " + perHost
                    + " ranks, which does not divide the " + ranks + " that shard; remove the key");
        }
        if (perHost == 1 || perHost == ranks) {
            return new HostGroups(ranks, 1, all.rank(), all, Optional.empty(), List.of());
        }
        List<Communicator> owned = new ArrayList<>();
        owned.add(all.split(rank -> rank / perHost));
        owned.add(all.split(rank -> rank % perHost));
        Communicator inHost = timer.observe(owned.getFirst());
        Communicator acrossHosts = timer.observe(owned.getLast());
        return new HostGroups(perHost, ranks / perHost, all.rank(), inHost, Optional.of(acrossHosts), owned);
    }

    int perHost() {
        return perHost;
    }

    int hosts() {
        return hosts;
    }

    /** {@return this rank's place in its host} */
    int place() {
        return rank % perHost;
    }

    int host() {
        return rank / perHost;
    }

    /** {@return the ranks of this host, in their order} */
    Communicator inHost() {
        return inHost;
    }

    /** {@return the ranks of the same place on every host, in the order of the hosts; empty if there is one host} */
    Optional<Communicator> acrossHosts() {
        return acrossHosts;
    }

    @Override
    public void close() {
        owned.forEach(Communicator::close);
    }
}
