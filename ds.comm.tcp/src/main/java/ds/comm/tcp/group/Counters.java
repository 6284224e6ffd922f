package ds.comm.tcp.group;

import ds.api.comm.Traffic;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/** What a group and the parts of it have sent. Any thread may read it. */
final class Counters {
    private final Optional<Counters> whole;
    private final AtomicLong elementsSent = new AtomicLong();
    private final AtomicLong bytesSent = new AtomicLong();
    private final AtomicLong collectives = new AtomicLong();
    private final AtomicLong bytesAcrossHosts = new AtomicLong();

    /**
     * Counts from 0.
     *
     * @param whole of the group that this one is a part of, which counts the same
     */
    Counters(Optional<Counters> whole) {
        this.whole = whole;
    }

    void sent(long elements, long bytes, long acrossHosts) {
        elementsSent.addAndGet(elements);
        bytesSent.addAndGet(bytes);
        bytesAcrossHosts.addAndGet(acrossHosts);
        whole.ifPresent(counters -> counters.sent(elements, bytes, acrossHosts));
    }

    void collective() {
        collectives.incrementAndGet();
        whole.ifPresent(Counters::collective);
    }

    Traffic traffic() {
        return new Traffic(elementsSent.get(), bytesSent.get(), collectives.get(), bytesAcrossHosts.get());
    }
}
