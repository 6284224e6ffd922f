package ds.backend.cuda.launch;

import ds.api.Event;
import ds.cuda.CudaDevice;
import java.lang.ref.Reference;
import java.util.OptionalLong;

/** A point in the order of a stream, by an event of the driver, which goes back to its pool once nobody knows this object any more. */
final class CudaEvent implements Event {
    private final CudaDevice device;
    private final long handle;

    CudaEvent(CudaDevice device, long handle) {
        this.device = device;
        this.handle = handle;
    }

    @Override
    public OptionalLong nativeHandle() {
        return OptionalLong.of(handle);
    }

    @Override
    public void synchronize() {
        try {
            device.synchronizeEvent(handle);
        } finally {
            Reference.reachabilityFence(this); // once collected, its handle may stand for another point
        }
    }
}
