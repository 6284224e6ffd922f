package ds.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The driver: which devices there are, and what its statuses mean. */
public final class CudaDriver {
    private static final int COMPUTE_CAPABILITY_MAJOR = 75;
    private static final int COMPUTE_CAPABILITY_MINOR = 76;
    private static final int MULTIPROCESSOR_COUNT = 16;
    private static final int NAME_BYTES = 256;

    private final DriverLibrary library = new DriverLibrary();

    /**
     * One device.
     *
     * @param ordinal among those that this process sees; {@code CUDA_VISIBLE_DEVICES} limits them
     * @param name such as {@code "NVIDIA H100 80GB HBM3"}
     * @param memoryBytes of the whole device
     * @param major of its compute capability
     * @param minor of its compute capability
     * @param multiprocessors how many
     */
    public record Properties(int ordinal, String name, long memoryBytes, int major, int minor, int multiprocessors) {
        /** {@return the architecture for which its kernels are compiled, such as {@code "sm_90"}} */
        public String architecture() {
            return "sm_" + major + minor;
        }
    }

    /**
     * Loads the driver and initialises it.
     *
     * @throws LinkageError if there is no driver
     * @throws CudaException if it does not work here
     */
    public CudaDriver() {
        check(library.init(0), "cuInit");
    }

    DriverLibrary library() {
        return library;
    }

    /** {@return the newest CUDA version that it supports: 1000 · major + 10 · minor} */
    public int version() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(JAVA_INT);
            check(library.driverGetVersion(value.address()), "cuDriverGetVersion");
            return value.get(JAVA_INT, 0);
        }
    }

    /** {@return all devices of this process} */
    public List<Properties> devices() {
        List<Properties> devices = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment count = arena.allocate(JAVA_INT);
            check(library.deviceGetCount(count.address()), "cuDeviceGetCount");
            for (int i = 0; i < count.get(JAVA_INT, 0); i++) {
                devices.add(properties(arena, i));
            }
        }
        return devices;
    }

    private Properties properties(Arena arena, int ordinal) {
        int device = handle(ordinal);
        MemorySegment name = arena.allocate(NAME_BYTES);
        check(library.deviceGetName(name.address(), NAME_BYTES, device), "cuDeviceGetName");
        MemorySegment bytes = arena.allocate(JAVA_LONG);
        check(library.deviceTotalMem(bytes.address(), device), "cuDeviceTotalMem");
        return new Properties(
                ordinal,
                name.getString(0),
                bytes.get(JAVA_LONG, 0),
                attribute(arena, COMPUTE_CAPABILITY_MAJOR, device),
                attribute(arena, COMPUTE_CAPABILITY_MINOR, device),
                attribute(arena, MULTIPROCESSOR_COUNT, device));
    }

    /** {@return the driver's own number of a device} */
    int handle(int ordinal) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment device = arena.allocate(JAVA_INT);
            check(library.deviceGet(device.address(), ordinal), "cuDeviceGet");
            return device.get(JAVA_INT, 0);
        }
    }

    private int attribute(Arena arena, int attribute, int device) {
        MemorySegment value = arena.allocate(JAVA_INT);
        check(library.deviceGetAttribute(value.address(), attribute, device), "cuDeviceGetAttribute");
        return value.get(JAVA_INT, 0);
    }

    /**
     * Turns a status into an exception.
     *
     * @throws CudaException unless the status is 0
     */
    void check(int status, String call) {
        if (status != 0) {
            throw new CudaException(
                    call + ": " + text(status, true) + " (" + status + "), " + text(status, false) + remedy(status),
                    status);
        }
    }

    @SuppressWarnings("restricted") // a C string of unknown length
    private String text(int status, boolean name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(ADDRESS);
            int found = name
                    ? library.getErrorName(status, text.address())
                    : library.getErrorString(status, text.address());
            MemorySegment string = text.get(ADDRESS, 0);
            return found != 0 || string.address() == 0
                    ? "unknown"
                    : string.reinterpret(Long.MAX_VALUE).getString(0);
        }
    }

    private static String remedy(int status) {
        return switch (status) {
            case 100 -> "; no GPU is visible: see nvidia-smi and CUDA_VISIBLE_DEVICES";
            case 802, 803 -> "; the driver and its kernel module, or the fabric manager, do not fit: see nvidia-smi";
            case 222, 209, 218 ->
                "; the kernels were compiled for another device or a newer driver: delete the kernel cache";
            case 700, 716, 717, 719 ->
                "; a kernel has touched memory that is not its own, and this process cannot use the device any more";
            default -> "";
        };
    }
}
