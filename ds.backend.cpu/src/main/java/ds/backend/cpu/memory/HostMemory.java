package ds.backend.cpu.memory;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Zeroed memory straight from Linux. An arena's own memory would count against {@code -XX:MaxDirectMemorySize}, a quarter of
 * the machine by default, is written twice (once to zero it), and comes in pages of 4 KiB; this is zero from the start and asks
 * for pages of 2 MiB where they are worth it.
 */
@SuppressWarnings("restricted") // what the C library gives is typed and sized here, nowhere else
public final class HostMemory {
    private static final int PROT_READ_WRITE = 1 | 2;
    private static final int MAP_PRIVATE_ANONYMOUS = 0x02 | 0x20;
    private static final int MADV_HUGEPAGE = 14;
    private static final int MADV_POPULATE_WRITE = 23;
    private static final long PAGE = 4 << 10;
    private static final long HUGE_PAGE = 2 << 20;

    /** What a thread commits at a time: two huge pages. */
    public static final long COMMIT_BYTES = 4 << 20;

    private final MethodHandle mmap;
    private final MethodHandle munmap;
    private final MethodHandle madvise;

    /** Looks up the functions of the C library. */
    public HostMemory() {
        // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
        mmap = handle(
                "mmap", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
        // int munmap(void *addr, size_t length)
        munmap = handle("munmap", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG));
        // int madvise(void *addr, size_t length, int advice)
        madvise = handle("madvise", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
    }

    private static MethodHandle handle(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor);
    }

    /**
     * {@return bytes that live as long as {@code arena}, or null if the system has not enough}
     *
     * <p>What spans a huge page begins at one.
     */
    public MemorySegment map(long byteSize, Arena arena) {
        boolean huge = byteSize >= HUGE_PAGE;
        long length = Math.ceilDiv(byteSize, PAGE) * PAGE;
        long mapped = huge ? length + HUGE_PAGE : length;
        MemorySegment start = mapAnywhere(mapped);
        if (start.address() == -1) {
            return null;
        }
        long skip = huge ? -start.address() & (HUGE_PAGE - 1) : 0;
        MemorySegment memory = MemorySegment.ofAddress(start.address() + skip);
        if (huge) {
            unmap(start, skip);
            unmap(MemorySegment.ofAddress(memory.address() + length), HUGE_PAGE - skip);
            advise(memory, length, MADV_HUGEPAGE);
        }
        return memory.reinterpret(byteSize, arena, segment -> unmap(segment, length));
    }

    private MemorySegment mapAnywhere(long length) {
        try {
            return (MemorySegment)
                    mmap.invokeExact(MemorySegment.NULL, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0L);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private void unmap(MemorySegment start, long length) {
        try {
            if (length > 0 && (int) munmap.invokeExact(start, length) != 0) {
                throw new IllegalStateException(
                        "munmap of " + length + " bytes at " + Long.toHexString(start.address()) + " failed");
            }
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /** {@return whether memory of this size is worth being given its pages by {@link #commit}} */
    public static boolean isWorthCommitting(long byteSize) {
        return byteSize >= HUGE_PAGE;
    }

    /**
     * Has the system give memory its pages now, and not one by one as they are first touched. A kernel before Linux 5.14 cannot,
     * and then they come at the first touch.
     *
     * @param memory all or part of what {@link #map} has returned, from a multiple of {@link #COMMIT_BYTES} on
     */
    public void commit(MemorySegment memory) {
        advise(memory, Math.ceilDiv(memory.byteSize(), PAGE) * PAGE, MADV_POPULATE_WRITE);
    }

    private void advise(MemorySegment start, long length, int advice) {
        try {
            int ignored = (int) madvise.invokeExact(start, length, advice); // a kernel that cannot says no
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private static RuntimeException unexpected(
            Throwable e) { // the handles declare Throwable, and throw nothing checked
        return switch (e) {
            case RuntimeException runtime -> runtime;
            case Error error -> throw error;
            default -> new IllegalStateException(e);
        };
    }
}
