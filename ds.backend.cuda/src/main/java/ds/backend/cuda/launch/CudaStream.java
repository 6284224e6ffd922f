package ds.backend.cuda.launch;

import ds.api.Event;
import ds.api.Stream;
import ds.cuda.CudaDevice;
import ds.cuda.EventPool;
import java.lang.ref.Reference;
import java.util.OptionalLong;
import java.util.function.Consumer;

/** A stream of the driver. */
public final class CudaStream implements Stream {
    private final CudaDevice device;
    private final EventPool events;
    private final Consumer<CudaStream> onClose;
    private final long handle;
    private boolean closed;

    public CudaStream(CudaDevice device, EventPool events, Consumer<CudaStream> onClose) {
        this.device = device;
        this.events = events;
        this.onClose = onClose;
        this.handle = device.openStream();
    }

    public long handle() {
        return handle;
    }

    @Override
    public OptionalLong nativeHandle() {
        return OptionalLong.of(handle);
    }

    @Override
    public Event record() {
        long event = events.record(handle);
        CudaEvent recorded = new CudaEvent(device, event);
        events.lend(recorded, event);
        return recorded;
    }

    @Override
    public void await(Event event) {
        try {
            OptionalLong other = event.nativeHandle();
            if (other.isPresent()) {
                device.await(handle, other.getAsLong());
            } else {
                event.synchronize(); // of the host: done, or soon
            }
        } finally {
            Reference.reachabilityFence(event); // once collected, its handle may stand for another point
        }
    }

    @Override
    public void synchronize() {
        device.synchronize(handle);
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            synchronize();
            onClose.accept(this);
            device.closeStream(handle);
        }
    }
}
