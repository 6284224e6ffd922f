package ds.comm.nccl.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The GPU of a rank through its primary context, the one that the tensors' backend uses: streams and events. */
public final class Gpu implements AutoCloseable {
    private static final int NON_BLOCKING = 1;
    private static final int WITHOUT_TIME = 2;
    private static final int NOT_READY = 600;

    private final DriverLibrary library;
    private final int device;
    private final long context;

    /** A call that writes one handle. */
    @FunctionalInterface
    private interface Making {
        int make(long result);
    }

    /**
     * Takes hold of a GPU.
     *
     * @throws LinkageError if there is no driver
     * @throws NcclException if there is no such GPU
     */
    public Gpu(int ordinal) {
        library = new DriverLibrary();
        check(library.init(0), "cuInit");
        int count = count(library);
        if (ordinal < 0 || ordinal >= count) {
            throw new NcclException("device " + ordinal + ": the process sees " + count
                    + " GPUs; start fewer ranks on this host, or see CUDA_VISIBLE_DEVICES");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment number = arena.allocate(JAVA_INT);
            check(library.deviceGet(number.address(), ordinal), "cuDeviceGet");
            device = number.get(JAVA_INT, 0);
        }
        context = make("cuDevicePrimaryCtxRetain", result -> library.primaryCtxRetain(result, device));
        bind();
    }

    /** {@return how many GPUs this process sees} */
    public static int count() {
        DriverLibrary library = new DriverLibrary();
        check(library.init(0), "cuInit");
        return count(library);
    }

    private static int count(DriverLibrary library) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment count = arena.allocate(JAVA_INT);
            check(library.deviceGetCount(count.address()), "cuDeviceGetCount");
            return count.get(JAVA_INT, 0);
        }
    }

    /** Makes the GPU that of the calling thread. */
    public void bind() {
        check(library.ctxSetCurrent(context), "cuCtxSetCurrent");
    }

    /** {@return the address of memory with any contents} */
    public long allocate(long bytes) {
        return make("cuMemAlloc", result -> library.memAlloc(result, bytes));
    }

    /** Gives memory back. */
    public void free(long address) {
        check(library.memFree(address), "cuMemFree");
    }

    /** Copies on the GPU. */
    public void copy(long from, long to, long bytes, long stream) {
        check(library.memcpyDtoD(to, from, bytes, stream), "cuMemcpyDtoDAsync");
    }

    /** {@return a stream that waits for no other} */
    public long openStream() {
        return make("cuStreamCreate", result -> library.streamCreate(result, NON_BLOCKING));
    }

    /** Closes a stream. */
    public void closeStream(long stream) {
        check(library.streamDestroy(stream), "cuStreamDestroy");
    }

    /** Makes a stream wait for an event. */
    public void await(long stream, long event) {
        bind();
        check(library.streamWaitEvent(stream, event, 0), "cuStreamWaitEvent");
    }

    /** {@return an event} */
    public long openEvent() {
        return make("cuEventCreate", result -> library.eventCreate(result, WITHOUT_TIME));
    }

    /** Closes an event. */
    public void closeEvent(long event) {
        check(library.eventDestroy(event), "cuEventDestroy");
    }

    /** Puts an event behind what is enqueued. */
    public void record(long event, long stream) {
        check(library.eventRecord(event, stream), "cuEventRecord");
    }

    /** {@return whether an event is reached} */
    public boolean done(long event) {
        bind();
        int status = library.eventQuery(event);
        if (status == NOT_READY) {
            return false;
        }
        check(status, "cuEventQuery");
        return true;
    }

    /** Waits for an event. */
    public void synchronize(long event) {
        bind();
        check(library.eventSynchronize(event), "cuEventSynchronize");
    }

    private static long make(String call, Making making) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = arena.allocate(JAVA_LONG);
            check(making.make(result.address()), call);
            return result.get(JAVA_LONG, 0);
        }
    }

    private static void check(int status, String call) {
        if (status != 0) {
            throw new NcclException(call + ": CUDA error " + status
                    + (status == 100 ? ": no GPU is visible; see nvidia-smi and CUDA_VISIBLE_DEVICES" : ""));
        }
    }

    @Override
    public void close() {
        check(library.primaryCtxRelease(device), "cuDevicePrimaryCtxRelease");
    }
}
