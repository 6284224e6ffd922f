package ds.tck.comm;

import ds.api.comm.Traffic;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;

/** What one rank has sent in one group, and so in the group that this one is part of. */
final class TrafficCounter {
    private final AtomicReference<Traffic> traffic = new AtomicReference<>(Traffic.NONE);
    private final Optional<TrafficCounter> parent;

    TrafficCounter(Optional<TrafficCounter> parent) {
        this.parent = parent;
    }

    void add(Traffic sent) {
        traffic.accumulateAndGet(sent, Traffic::plus);
        parent.ifPresent(counter -> counter.add(sent));
    }

    Traffic traffic() {
        return traffic.get();
    }
}
