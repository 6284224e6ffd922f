package ds.backend.cpu;

import ds.api.Event;
import ds.api.Stream;

/** A stream of a device that computes at once: everything enqueued is done. */
final class CpuStream implements Stream {
    @Override
    public Event record() {
        return Event.DONE;
    }

    @Override
    public void await(Event event) {
        event.synchronize(); // of another device perhaps: what is enqueued next computes at once, so the thread has
        // to wait
    }

    @Override
    public void synchronize() {}

    @Override
    public void close() {}
}
