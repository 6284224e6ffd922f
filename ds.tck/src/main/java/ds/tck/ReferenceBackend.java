package ds.tck;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Event;
import ds.api.Kernels;
import ds.api.MemoryUse;
import ds.api.OutOfDeviceMemoryException;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.HostBuffer;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * A backend in the plainest Java, in host memory: the oracle that {@link TensorBackendContract} compares others with, and an
 * example for whoever writes one. It has only the core kernels ({@link ReferenceKernels}); the fused ones are the composed
 * defaults of {@link Kernels}. Right rather than fast: one thread, one element at a time, computed in double.
 *
 * <p>Everything is done when a call returns, so streams and events have nothing to do.
 */
public final class ReferenceBackend implements TensorBackend {
    private final Set<HostBuffer> open = new HashSet<>(); // by identity: buffers have no equals
    private final Map<String, MemoryUse.Label> labels = new TreeMap<>();
    private final Stream computeStream = new Immediate();
    private long liveBytes;
    private long peakBytes;

    /** Opens the host's memory; nothing else is needed. */
    public ReferenceBackend() {}

    @Override
    public String name() {
        return "reference";
    }

    @Override
    public Device device() {
        return Device.HOST;
    }

    @Override
    public boolean supports(DType dtype) {
        return true;
    }

    @Override
    public synchronized Buffer allocate(long byteSize, String label) {
        HostBuffer buffer;
        try {
            buffer = new HostBuffer(arena -> arena.allocate(byteSize, 64), label, this::forget);
        } catch (OutOfMemoryError e) {
            OutOfDeviceMemoryException named = new OutOfDeviceMemoryException("allocate '" + label + "': " + byteSize
                    + " bytes more than the " + liveBytes + " in use " + labels
                    + " do not fit into host memory; make the model or the batch smaller");
            named.initCause(e);
            throw named;
        }
        open.add(buffer);
        count(label, byteSize);
        return buffer;
    }

    @Override
    public Buffer allocateHost(long byteSize, String label) {
        return allocate(byteSize, label);
    }

    private synchronized void forget(HostBuffer buffer) {
        open.remove(buffer);
        count(buffer.label(), -buffer.byteSize());
    }

    private void count(String label, long bytes) {
        MemoryUse.Label before = labels.getOrDefault(label, new MemoryUse.Label(0, 0));
        long live = before.liveBytes() + bytes;
        labels.put(label, new MemoryUse.Label(live, Math.max(live, before.peakBytes())));
        liveBytes += bytes;
        peakBytes = Math.max(peakBytes, liveBytes);
    }

    @Override
    public synchronized MemoryUse memory() {
        return new MemoryUse(labels, liveBytes, peakBytes);
    }

    @Override
    public Stream computeStream() {
        return computeStream;
    }

    @Override
    public Stream openStream() {
        return new Immediate();
    }

    @Override
    public Kernels kernels(Stream stream) {
        return new ReferenceKernels(this, stream);
    }

    @Override
    public void upload(MemorySegment source, Tensor target, Stream stream) {
        requireSize(source, target);
        target.host().copyFrom(source);
    }

    @Override
    public void download(Tensor source, MemorySegment target, Stream stream) {
        requireSize(target, source);
        target.copyFrom(source.host());
    }

    private static void requireSize(MemorySegment host, Tensor tensor) {
        if (host.byteSize() != tensor.byteSize()) {
            throw new IllegalArgumentException("a copy between " + host.byteSize() + " bytes of host memory and the "
                    + tensor.byteSize() + " bytes of " + tensor + "; both must have the same size");
        }
    }

    @Override
    public void close() {
        List<HostBuffer> buffers;
        synchronized (this) {
            buffers = new ArrayList<>(open);
        }
        buffers.forEach(HostBuffer::close);
    }

    /** A stream on which everything is always done. */
    private static final class Immediate implements Stream {
        @Override
        public Event record() {
            return Event.DONE;
        }

        @Override
        public void await(Event event) {
            event.synchronize(); // of this backend it is done; of another one there is no other way to wait
        }

        @Override
        public void synchronize() {}

        @Override
        public void close() {}
    }
}
