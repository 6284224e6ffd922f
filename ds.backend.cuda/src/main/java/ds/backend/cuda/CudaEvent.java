package ds.backend.cuda;

import ds.api.Event;
import java.util.OptionalLong;

/** A point in the order of a stream, by an event of the driver, which goes back to its pool once nobody knows this object any more. */
final class CudaEvent implements Event {
    private final EventPool pool;
    private final long handle;

    CudaEvent(EventPool pool, long handle) {
        this.pool = pool;
        this.handle = handle;
    }

    long handle() {
        return handle;
    }

    @Override
    public OptionalLong nativeHandle() {
        return OptionalLong.of(handle);
    }

    @Override
    public void synchronize() {
        pool.device().synchronizeEvent(handle);
    }
}
