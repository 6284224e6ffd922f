package ds.tck;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Kernels;
import ds.api.MemoryUse;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * {@link ReferenceBackend} as an accelerator would be: memory that the host does not reach, and streams that run beside the thread
 * that enqueues, each at its own, uneven pace. The same numbers where everything that has to be waited for is waited for, and
 * other ones where it is not. For tests of what is to run on devices that are not at hand.
 */
public final class DetachedBackend implements TensorBackend {
    /** Where its memory is. */
    public static final Device DEVICE = new Device("detached", 0);

    private final ReferenceBackend memory = new ReferenceBackend();
    private final ReferenceBackend pinned = new ReferenceBackend();
    private final Set<DetachedBuffer> buffers = ConcurrentHashMap.newKeySet();
    private final Set<DetachedStream> streams = ConcurrentHashMap.newKeySet();
    private final DetachedStream computeStream = open("compute");

    /** Opens a device of its own; its compute stream starts at once. */
    public DetachedBackend() {}

    private DetachedStream open(String name) {
        DetachedStream stream = new DetachedStream(name, streams::remove);
        streams.add(stream);
        return stream;
    }

    @Override
    public String name() {
        return "detached";
    }

    @Override
    public Device device() {
        return DEVICE;
    }

    @Override
    public boolean supports(DType dtype) {
        return memory.supports(dtype);
    }

    @Override
    public Buffer allocate(long byteSize, String label) {
        DetachedBuffer buffer = new DetachedBuffer(memory.allocate(byteSize, label), buffers::remove);
        buffers.add(buffer);
        return buffer;
    }

    @Override
    public Buffer allocateHost(long byteSize, String label) {
        return pinned.allocate(byteSize, label);
    }

    @Override
    public MemoryUse memory() {
        return memory.memory();
    }

    @Override
    public MemoryUse hostMemory() {
        return pinned.memory();
    }

    @Override
    public Stream computeStream() {
        return computeStream;
    }

    @Override
    public Stream openStream() {
        return open("other");
    }

    @Override
    public Kernels kernels(Stream stream) {
        return new DetachedKernels(this, memory, mine(stream));
    }

    /** What only the calling thread may read is read at once, as a driver does with memory that is not pinned. */
    @Override
    public void upload(MemorySegment source, Tensor target, Stream stream) {
        requireSize(source, target);
        DetachedStream on = mine(stream);
        MemorySegment bytes = on.reaches(source) ? source : MemorySegment.ofArray(source.toArray(JAVA_BYTE));
        on.enqueueCopy(List.of(target), inner -> inner.get(0).host().copyFrom(bytes));
    }

    /** What only the calling thread may write is written before it returns. */
    @Override
    public void download(Tensor source, MemorySegment target, Stream stream) {
        requireSize(target, source);
        DetachedStream on = mine(stream);
        if (on.reaches(target)) {
            on.enqueueCopy(
                    List.of(source), inner -> target.copyFrom(inner.get(0).host()));
        } else {
            MemorySegment bytes = MemorySegment.ofArray(new byte[Math.toIntExact(source.byteSize())]);
            on.enqueueCopy(List.of(source), inner -> bytes.copyFrom(inner.get(0).host()));
            on.synchronize();
            target.copyFrom(bytes);
        }
    }

    private static DetachedStream mine(Stream stream) {
        if (stream instanceof DetachedStream detached) {
            return detached;
        }
        throw new IllegalArgumentException("stream " + stream + " is not one of " + DEVICE);
    }

    private static void requireSize(MemorySegment host, Tensor tensor) {
        if (host.byteSize() != tensor.byteSize()) {
            throw new IllegalArgumentException("a copy between " + host.byteSize() + " bytes of host memory and the "
                    + tensor.byteSize() + " bytes of " + tensor + "; both must have the same size");
        }
    }

    @Override
    public void close() {
        List.copyOf(streams).forEach(DetachedStream::close);
        List.copyOf(buffers).forEach(DetachedBuffer::close);
        memory.close();
        pinned.close();
    }
}
