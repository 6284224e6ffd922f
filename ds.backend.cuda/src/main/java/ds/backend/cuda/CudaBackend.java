package ds.backend.cuda;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Kernels;
import ds.api.MemoryUse;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.HostBuffer;
import ds.api.spi.MemoryLedger;
import ds.backend.cuda.launch.CudaStream;
import ds.backend.cuda.launch.KernelModules;
import ds.backend.cuda.launch.Launcher;
import ds.backend.cuda.product.Products;
import ds.cuda.CudaDevice;
import ds.cuda.CudaException;
import ds.cuda.EventPool;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A GPU: its memory, its streams, and the kernels of each stream. */
final class CudaBackend implements TensorBackend {
    static final String TYPE = "cuda";

    private static final String MEMORY_REMEDY =
            "use a smaller micro-batch, a higher ZeRO stage, more ranks or offload_optimizer";

    private final CudaDevice cuda;
    private final Device device;
    private final KernelModules modules;
    private final Products products;
    private final DeviceMemory memory;
    private final MemoryLedger ledger;
    private final MemoryLedger pinnedLedger = new MemoryLedger("pinned host memory", Long.MAX_VALUE, MEMORY_REMEDY);
    private final EventPool events;
    private final Set<CudaBuffer> buffers = ConcurrentHashMap.newKeySet();
    private final Set<HostBuffer> pinned = ConcurrentHashMap.newKeySet();
    private final Map<CudaStream, CudaKernels> streams = new ConcurrentHashMap<>();
    private final CudaStream computeStream;
    private final CudaStream memoryStream; // zeroes what is allocated

    /** Takes over the device, the modules and the products. */
    CudaBackend(CudaDevice cuda, KernelModules modules, Products products, long memoryLimitBytes) {
        this.cuda = cuda;
        this.device = new Device(TYPE, cuda.properties().ordinal());
        this.modules = modules;
        this.products = products;
        this.memory = new DeviceMemory(cuda);
        this.ledger = new MemoryLedger("device " + device, memoryLimitBytes, MEMORY_REMEDY);
        this.events = new EventPool(cuda);
        this.computeStream = open();
        this.memoryStream = open();
    }

    private CudaStream open() {
        CudaStream stream = new CudaStream(cuda, events, this::forget);
        streams.put(stream, new CudaKernels(this, stream, new Launcher(cuda, modules, stream), products));
        return stream;
    }

    private void forget(CudaStream stream) {
        CudaKernels kernels = streams.remove(stream);
        if (kernels != null) {
            kernels.close();
        }
    }

    /** {@return its kernels} */
    KernelModules modules() {
        return modules;
    }

    /** {@return the device as the driver knows it} */
    CudaDevice cuda() {
        return cuda;
    }

    @Override
    public String name() {
        return CudaBackendProvider.NAME;
    }

    @Override
    public Device device() {
        return device;
    }

    @Override
    public boolean supports(DType dtype) {
        return dtype != DType.BF16 || cuda.properties().major() >= 8; // products of BF16 came with sm_80
    }

    @Override
    public Buffer allocate(long byteSize, String label) {
        if (byteSize < 1) {
            throw new IllegalArgumentException("allocating " + byteSize + " bytes of '" + label + "' on " + device);
        }
        ledger.take(byteSize, label);
        DeviceMemory.Block block;
        try {
            block = memory.take(byteSize);
        } catch (CudaException e) {
            ledger.giveBack(byteSize, label);
            if (e.status() == CudaException.OUT_OF_MEMORY) {
                throw ledger.outOfMemory(byteSize, label, "is more than the device has left");
            }
            throw e;
        }
        if (!block.fresh()) { // who had it before may have work enqueued
            List.copyOf(streams.keySet()).forEach(CudaStream::synchronize);
        }
        cuda.fill1(block.address(), (byte) 0, byteSize, memoryStream.handle());
        memoryStream.synchronize();
        CudaBuffer buffer = new CudaBuffer(device, byteSize, label, block, this::close);
        buffers.add(buffer);
        return buffer;
    }

    private void close(CudaBuffer buffer) {
        buffers.remove(buffer);
        memory.giveBack(buffer.block());
        ledger.giveBack(buffer.byteSize(), buffer.label());
    }

    @Override
    public Buffer allocateHost(long byteSize, String label) {
        if (byteSize < 1) {
            throw new IllegalArgumentException("allocating " + byteSize + " bytes of pinned '" + label + "'");
        }
        pinnedLedger.take(byteSize, label);
        try {
            HostBuffer buffer = new HostBuffer(arena -> pinned(byteSize, arena), label, this::close);
            pinned.add(buffer);
            return buffer;
        } catch (CudaException e) {
            pinnedLedger.giveBack(byteSize, label);
            if (e.status() == CudaException.OUT_OF_MEMORY) {
                throw pinnedLedger.outOfMemory(
                        byteSize, label, "is more than can be pinned (see ulimit -l, and the machine's memory)");
            }
            throw e;
        }
    }

    /** {@return zeros that the device copies from and to without the processor; freed with the arena} */
    @SuppressWarnings("restricted") // what the driver gives is sized here
    private MemorySegment pinned(long byteSize, Arena arena) {
        return MemorySegment.ofAddress(cuda.allocateHost(byteSize))
                .reinterpret(byteSize, arena, segment -> cuda.freeHost(segment.address()))
                .fill((byte) 0);
    }

    private void close(HostBuffer buffer) {
        pinned.remove(buffer);
        pinnedLedger.giveBack(buffer.byteSize(), buffer.label());
    }

    @Override
    public MemoryUse memory() {
        return ledger.use();
    }

    @Override
    public MemoryUse hostMemory() {
        return pinnedLedger.use();
    }

    @Override
    public Stream computeStream() {
        return computeStream;
    }

    @Override
    public Stream openStream() {
        return open();
    }

    @Override
    public Kernels kernels(Stream stream) {
        return streams.get(mine(stream));
    }

    private CudaStream mine(Stream stream) {
        if (stream instanceof CudaStream own && streams.containsKey(own)) {
            return own;
        }
        throw new IllegalArgumentException("stream " + stream + " is not an open one of " + device);
    }

    @Override
    public void upload(MemorySegment source, Tensor target, Stream stream) {
        requireSize("upload", source, target);
        CudaStream on = mine(stream);
        long address = target.address();
        if (source.isNative()) {
            cuda.upload(source.address(), address, source.byteSize(), on.handle());
            return;
        }
        try (Arena arena = Arena.ofConfined()) { // the driver reads no arrays
            MemorySegment copy = arena.allocate(source.byteSize(), 64).copyFrom(source);
            cuda.upload(copy.address(), address, copy.byteSize(), on.handle());
            on.synchronize();
        }
    }

    @Override
    public void download(Tensor source, MemorySegment target, Stream stream) {
        requireSize("download", target, source);
        CudaStream on = mine(stream);
        long address = source.address();
        if (target.isNative()) {
            cuda.download(address, target.address(), target.byteSize(), on.handle());
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(target.byteSize(), 64);
            cuda.download(address, copy.address(), copy.byteSize(), on.handle());
            on.synchronize();
            MemorySegment.copy(copy, JAVA_BYTE, 0, target, JAVA_BYTE, 0, copy.byteSize());
        }
    }

    private static void requireSize(String call, MemorySegment host, Tensor tensor) {
        if (host.byteSize() != tensor.byteSize()) {
            throw new IllegalArgumentException(call + " between " + host.byteSize() + " bytes of host memory and the "
                    + tensor.byteSize() + " bytes of " + tensor + "; both must have the same size");
        }
    }

    @Override
    public void close() {
        List.copyOf(streams.keySet()).forEach(CudaStream::close);
        List.copyOf(buffers).forEach(CudaBuffer::close);
        List.copyOf(pinned).forEach(HostBuffer::close);
        memory.release();
        events.close();
        products.close();
        modules.close();
        cuda.close();
    }
}
