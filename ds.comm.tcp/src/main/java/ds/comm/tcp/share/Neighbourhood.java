package ds.comm.tcp.share;

import java.util.List;
import java.util.Map;

/**
 * Where the ranks of a job are.
 *
 * @param hosts for each rank the lowest rank of its host, the same list on all ranks; what others say of themselves, which
 *     decides what is sent along which way, and nothing else
 * @param channels by rank, to those with which this rank shares memory; owned
 */
public record Neighbourhood(List<Integer> hosts, Map<Integer, SharedChannel> channels) {
    /** Closes all channels. */
    public void close() {
        channels.values().forEach(SharedChannel::close);
    }
}
