package ds.zero.plan;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Event;
import ds.api.Kernels;
import ds.api.MemoryUse;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/**
 * A backend that counts memory and has none: its buffers are sizes, its kernels and copies do nothing. What runs on it takes the
 * path it would take on a device, as far as that does not depend on numbers computed there, and {@link #memory} says what it
 * would need.
 *
 * <p>Kernels are taken for fused ones, which allocate nothing. What a backend allocates for itself, such as room to rearrange
 * the factors of a product, is not in the accounts.
 */
public final class PlanningBackend implements TensorBackend {
    private final Device device;
    private final PlannedMemory memory = new PlannedMemory();
    private final PlannedMemory hostMemory;
    private final Stream computeStream = new NoStream();

    /** Stands for a backend of this device, with one account for what it allocates there and on the host. */
    public PlanningBackend(Device device) {
        this.device = device;
        this.hostMemory = memory;
    }

    /** Stands for a backend of a device of its own: what it allocates on the host is in the accounts of a backend there. */
    public PlanningBackend(Device device, PlanningBackend host) {
        this.device = device;
        this.hostMemory = host.memory;
    }

    @Override
    public String name() {
        return "planning";
    }

    @Override
    public Device device() {
        return device;
    }

    @Override
    public boolean supports(DType dtype) {
        return true;
    }

    @Override
    public Buffer allocate(long byteSize, String label) {
        return new PlannedBuffer(memory, device, byteSize, label, false);
    }

    @Override
    public Buffer allocateHost(long byteSize, String label) {
        return new PlannedBuffer(hostMemory, Device.HOST, byteSize, label, true);
    }

    @Override
    public MemoryUse memory() {
        return memory.use();
    }

    /** {@return live bytes by label at the moment when their sum was largest} */
    public Map<String, Long> bytesAtPeak() {
        return Map.copyOf(memory.atPeak());
    }

    @Override
    public Stream computeStream() {
        return computeStream;
    }

    @Override
    public Stream openStream() {
        return new NoStream();
    }

    @Override
    public Kernels kernels(Stream stream) {
        return new PlanningKernels(this, stream);
    }

    /** Copies nothing, and so does not mind what the source is. */
    @Override
    public void upload(MemorySegment source, Tensor target, Stream stream) {}

    /** Copies nothing: the target stays as it is. */
    @Override
    public void download(Tensor source, MemorySegment target, Stream stream) {}

    @Override
    public void upload(Tensor source, Tensor target, Stream stream) {}

    @Override
    public void download(Tensor source, Tensor target, Stream stream) {}

    @Override
    public void close() {}

    /** A stream on which nothing is ever enqueued. */
    private static final class NoStream implements Stream {
        @Override
        public Event record() {
            return Event.DONE;
        }

        @Override
        public void await(Event event) {}

        @Override
        public void synchronize() {}

        @Override
        public void close() {}
    }
}
