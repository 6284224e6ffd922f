package ds.backend.cpu;

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
import ds.backend.cpu.attention.TiledAttention;
import ds.backend.cpu.memory.HostMemory;
import ds.backend.cpu.product.MatrixProducts;
import ds.backend.cpu.product.OneDnn;
import ds.backend.cpu.threads.WorkerPool;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** The host as a device. What is enqueued on a stream is computed at once, by the calling thread and the worker threads. */
final class CpuBackend implements TensorBackend {
    private static final String MEMORY_REMEDY =
            "use a smaller micro-batch, a higher ZeRO stage or more ranks, or raise memory_limit_bytes";
    private static final String WORK_MEMORY = "matmul"; // label of what matrix products need for themselves

    // What a thread copies at a time: from 2.5 MiB on the Java machine copies past the caches, which is faster.
    private static final long LEAST_COPIED_BYTES = 3 << 20;
    private static final long MOST_COPIED_BYTES = 8 << 20;

    private final HostMemory host = new HostMemory();
    private final MemoryLedger ledger;
    private final Set<HostBuffer> buffers = ConcurrentHashMap.newKeySet();
    private final WorkerPool pool;
    private final MatrixProducts products;
    private final TiledAttention attention;
    private final Stream computeStream = new CpuStream();

    CpuBackend(OneDnn library, int threads, long memoryLimitBytes) {
        ledger = new MemoryLedger("host memory", memoryLimitBytes, MEMORY_REMEDY);
        pool = new WorkerPool(threads);
        products = new MatrixProducts(library, pool, this::allocateWorkMemory);
        attention = new TiledAttention(library, pool, this::allocateWorkMemory);
    }

    @Override
    public String name() {
        return CpuBackendProvider.NAME;
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
    public HostBuffer allocate(long byteSize, String label) {
        HostBuffer buffer = uncommitted(byteSize, label);
        if (HostMemory.isWorthCommitting(byteSize)) {
            try {
                commit(buffer.host());
            } catch (RuntimeException | Error e) {
                buffer.close();
                throw e;
            }
        }
        return buffer;
    }

    /** By all threads, so that no step waits for pages; not inside a kernel, which has the threads. */
    private void commit(MemorySegment memory) {
        pool.run(
                memory.byteSize(),
                HostMemory.COMMIT_BYTES,
                (part, worker) -> host.commit(memory.asSlice(part.first(), part.last() - part.first())));
    }

    /** May be asked for inside a kernel, where {@link #commit} would wait for itself. */
    private HostBuffer allocateWorkMemory(long byteSize) {
        return uncommitted(byteSize, WORK_MEMORY);
    }

    private HostBuffer uncommitted(long byteSize, String label) {
        if (byteSize < 1) {
            throw new IllegalArgumentException("allocating " + byteSize + " bytes of '" + label + "'");
        }
        HostBuffer buffer = new HostBuffer(arena -> map(byteSize, label, arena), label, this::forget);
        buffers.add(buffer);
        return buffer;
    }

    private MemorySegment map(long byteSize, String label, Arena arena) {
        ledger.take(byteSize, label);
        MemorySegment memory = host.map(byteSize, arena);
        if (memory == null) {
            ledger.giveBack(byteSize, label);
            throw ledger.overLimit(byteSize, label);
        }
        return memory;
    }

    private void forget(HostBuffer buffer) {
        buffers.remove(buffer);
        ledger.giveBack(buffer.byteSize(), buffer.label());
    }

    /** Without pages until it is touched: of a copy for a checkpoint most may never be. */
    @Override
    public Buffer allocateHost(long byteSize, String label) {
        return uncommitted(byteSize, label);
    }

    @Override
    public MemoryUse memory() {
        return ledger.use();
    }

    @Override
    public Stream computeStream() {
        return computeStream;
    }

    @Override
    public Stream openStream() {
        return new CpuStream();
    }

    @Override
    public Kernels kernels(Stream stream) {
        return new CpuKernels(this, stream, pool, products, attention);
    }

    @Override
    public void upload(MemorySegment source, Tensor target, Stream stream) {
        copy("upload", source, target.host());
    }

    @Override
    public void download(Tensor source, MemorySegment target, Stream stream) {
        copy("download", source.host(), target);
    }

    /** One thread does not use all of the memory's bandwidth. */
    private void copy(String call, MemorySegment source, MemorySegment target) {
        if (source.byteSize() != target.byteSize()) {
            throw new IllegalArgumentException(call + " of " + source.byteSize() + " bytes to " + target.byteSize()
                    + "; both must have the same size");
        }
        long bytes = source.byteSize();
        if (bytes > LEAST_COPIED_BYTES && pool.reaches(source) && pool.reaches(target)) {
            long even = Math.ceilDiv(bytes, 64L * pool.threads()) * 64;
            pool.run(
                    bytes,
                    Math.clamp(even, LEAST_COPIED_BYTES, MOST_COPIED_BYTES),
                    (part, worker) ->
                            MemorySegment.copy(source, part.first(), target, part.first(), part.last() - part.first()));
        } else {
            target.copyFrom(source);
        }
    }

    @Override
    public void close() {
        pool.close();
        products.close();
        attention.close();
        buffers.forEach(HostBuffer::close);
    }
}
