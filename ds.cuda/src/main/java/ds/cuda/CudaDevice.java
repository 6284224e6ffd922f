package ds.cuda;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * One device through its primary context, which the toolkit's libraries share: memory, copies, streams, events, modules. Every method
 * makes the context that of the calling thread first, so that any thread may call. Addresses and handles are longs.
 */
public final class CudaDevice implements AutoCloseable {
    private static final int STREAM_NON_BLOCKING = 1;
    private static final int EVENT_WITHOUT_TIME = 2;
    private static final int INVALID_DEVICE = 101;
    private static final int NOT_READY = 600;
    private static final int PORTABLE = 1; // pinned for all contexts: NCCL's too
    private static final int DYNAMIC_SHARED_BYTES = 8;
    private static final int DEFAULT_DYNAMIC_SHARED_BYTES = 48 << 10;

    private final CudaDriver driver;
    private final DriverLibrary library;
    private final MemoryLibrary memory;
    private final StreamLibrary streams;
    private final ModuleLibrary modules;
    private final CudaDriver.Properties properties;
    private final int device;
    private final long context;

    /** A call that writes one handle or address. */
    @FunctionalInterface
    private interface Making {
        int make(long result);
    }

    /**
     * Takes hold of a device's primary context, for as long as the process lives: cuBLASLt and NCCL have state in it, which would not
     * outlive a context that ends with its last holder.
     */
    public CudaDevice(CudaDriver driver, CudaDriver.Properties properties) {
        this.driver = driver;
        this.library = driver.library();
        this.memory = library.memory();
        this.streams = library.streams();
        this.modules = library.modules();
        this.properties = properties;
        this.device = driver.handle(properties.ordinal());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = arena.allocate(JAVA_LONG);
            for (int holds = 0; holds < 2; holds++) { // one of them stays
                check(library.primaryCtxRetain(result.address(), device), "cuDevicePrimaryCtxRetain");
            }
            this.context = result.get(JAVA_LONG, 0);
        }
    }

    /**
     * {@return the device of this number; closing gives it back}
     *
     * @throws LinkageError if there is no driver
     * @throws CudaException if there is no such device
     */
    public static CudaDevice open(int ordinal) {
        CudaDriver driver = new CudaDriver();
        List<CudaDriver.Properties> devices = driver.devices();
        if (ordinal < 0 || ordinal >= devices.size()) {
            throw new CudaException(
                    "device " + ordinal + ": the process sees " + devices.size()
                            + " GPUs; start fewer ranks on this host, or see CUDA_VISIBLE_DEVICES",
                    INVALID_DEVICE);
        }
        return new CudaDevice(driver, devices.get(ordinal));
    }

    /** {@return what the device is} */
    public CudaDriver.Properties properties() {
        return properties;
    }

    /** Makes the device that of the calling thread, for libraries that look for it there. */
    public void bind() {
        check(library.ctxSetCurrent(context), "cuCtxSetCurrent");
    }

    private void check(int status, String call) {
        driver.check(status, call);
    }

    private long make(String call, Making making) {
        bind();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = arena.allocate(JAVA_LONG);
            check(making.make(result.address()), call);
            return result.get(JAVA_LONG, 0);
        }
    }

    /**
     * {@return the address of device memory with any contents}
     *
     * @throws CudaException with {@link CudaException#OUT_OF_MEMORY} if there is not enough
     */
    public long allocate(long bytes) {
        return make("cuMemAlloc of " + bytes + " bytes", result -> memory.memAlloc(result, bytes));
    }

    /** Gives device memory back; waits for the device. */
    public void free(long address) {
        bind();
        check(memory.memFree(address), "cuMemFree");
    }

    /** {@return the address of pinned host memory with any contents} */
    public long allocateHost(long bytes) {
        return make("cuMemHostAlloc of " + bytes + " bytes", result -> memory.memHostAlloc(result, bytes, PORTABLE));
    }

    /** Gives pinned host memory back. */
    public void freeHost(long address) {
        bind();
        check(memory.memFreeHost(address), "cuMemFreeHost");
    }

    /** Sets n elements of 1, 2 or 4 bytes, as the name of the call says. */
    public void fill1(long address, byte value, long n, long stream) {
        bind();
        check(memory.memsetD8(address, value, n, stream), "cuMemsetD8Async");
    }

    /** Sets n elements of two bytes. */
    public void fill2(long address, short value, long n, long stream) {
        bind();
        check(memory.memsetD16(address, value, n, stream), "cuMemsetD16Async");
    }

    /** Sets n elements of four bytes. */
    public void fill4(long address, int value, long n, long stream) {
        bind();
        check(memory.memsetD32(address, value, n, stream), "cuMemsetD32Async");
    }

    /** Copies from the host to the device. */
    public void upload(long host, long address, long bytes, long stream) {
        bind();
        check(memory.memcpyHtoD(address, host, bytes, stream), "cuMemcpyHtoDAsync of " + bytes + " bytes");
    }

    /** Copies from the device to the host. */
    public void download(long address, long host, long bytes, long stream) {
        bind();
        check(memory.memcpyDtoH(host, address, bytes, stream), "cuMemcpyDtoHAsync of " + bytes + " bytes");
    }

    /** Copies on the device. */
    public void copy(long from, long to, long bytes, long stream) {
        bind();
        check(memory.memcpyDtoD(to, from, bytes, stream), "cuMemcpyDtoDAsync of " + bytes + " bytes");
    }

    /** {@return a stream that waits for no other, the default one included} */
    public long openStream() {
        return make("cuStreamCreate", result -> streams.streamCreate(result, STREAM_NON_BLOCKING));
    }

    /** Closes a stream; what is enqueued is still done. */
    public void closeStream(long stream) {
        bind();
        check(streams.streamDestroy(stream), "cuStreamDestroy");
    }

    /** Waits for what is enqueued. */
    public void synchronize(long stream) {
        bind();
        check(streams.streamSynchronize(stream), "cuStreamSynchronize");
    }

    /** {@return an event that keeps no time} */
    public long openEvent() {
        return make("cuEventCreate", result -> streams.eventCreate(result, EVENT_WITHOUT_TIME));
    }

    /** Closes an event. */
    public void closeEvent(long event) {
        bind();
        check(streams.eventDestroy(event), "cuEventDestroy");
    }

    /** Puts the event behind what is enqueued. */
    public void record(long event, long stream) {
        bind();
        check(streams.eventRecord(event, stream), "cuEventRecord");
    }

    /** Makes the stream wait for the event, as it was recorded last. */
    public void await(long stream, long event) {
        bind();
        check(streams.streamWaitEvent(stream, event, 0), "cuStreamWaitEvent");
    }

    /** {@return whether the event is reached} */
    public boolean isReached(long event) {
        bind();
        int status = streams.eventQuery(event);
        if (status != NOT_READY) {
            check(status, "cuEventQuery");
        }
        return status != NOT_READY;
    }

    /** Waits for the event. */
    public void synchronizeEvent(long event) {
        bind();
        check(streams.eventSynchronize(event), "cuEventSynchronize");
    }

    /** {@return a module of compiled kernels} */
    public long loadModule(byte[] image) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(image.length, 16);
            bytes.copyFrom(MemorySegment.ofArray(image));
            return make("cuModuleLoadData", result -> modules.moduleLoadData(result, bytes.address()));
        }
    }

    /** Unloads a module. */
    public void unloadModule(long module) {
        bind();
        check(modules.moduleUnload(module), "cuModuleUnload");
    }

    /** {@return a kernel of a module} */
    public long function(long module, String name) {
        try (Arena arena = Arena.ofConfined()) {
            long text = arena.allocateFrom(name).address();
            return make("cuModuleGetFunction of " + name, result -> modules.moduleGetFunction(result, module, text));
        }
    }

    /** Permits a kernel as much dynamic shared memory as it will be launched with. */
    public void permitShared(long function, int bytes) {
        bind();
        if (bytes > DEFAULT_DYNAMIC_SHARED_BYTES) {
            check(modules.funcSetAttribute(function, DYNAMIC_SHARED_BYTES, bytes), "cuFuncSetAttribute");
        }
    }

    /**
     * Launches a kernel.
     *
     * @param grid blocks in x and y
     * @param block threads in x and y
     * @param parameters address of the addresses of the parameters, which are copied before this returns
     */
    public void launch(long function, Dims grid, Dims block, int sharedBytes, long stream, long parameters) {
        bind();
        check(
                modules.launchKernel(
                        function, grid.x(), grid.y(), 1, block.x(), block.y(), 1, sharedBytes, stream, parameters, 0),
                "cuLaunchKernel");
    }

    /** Extents in two dims. */
    public record Dims(int x, int y) {}

    /** Ends one hold; see the constructor for the other. */
    @Override
    public void close() {
        check(library.primaryCtxRelease(device), "cuDevicePrimaryCtxRelease");
    }
}
