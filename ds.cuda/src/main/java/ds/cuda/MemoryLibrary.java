package ds.cuda;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.invoke.MethodHandle;

/** Memory of devices and pinned memory of the host, filling and copying: raw calls of the driver, which return a status. */
final class MemoryLibrary {
    private final MethodHandle memAlloc;
    private final MethodHandle memFree;
    private final MethodHandle memHostAlloc;
    private final MethodHandle memFreeHost;
    private final MethodHandle memsetD8;
    private final MethodHandle memsetD16;
    private final MethodHandle memsetD32;
    private final MethodHandle memcpyHtoD;
    private final MethodHandle memcpyDtoH;
    private final MethodHandle memcpyDtoD;

    MemoryLibrary(NativeLibrary library) {
        memAlloc = library.function("cuMemAlloc_v2", JAVA_LONG, JAVA_LONG);
        memFree = library.function("cuMemFree_v2", JAVA_LONG);
        memHostAlloc = library.function("cuMemHostAlloc", JAVA_LONG, JAVA_LONG, JAVA_INT);
        memFreeHost = library.function("cuMemFreeHost", JAVA_LONG);
        memsetD8 = library.function("cuMemsetD8Async", JAVA_LONG, JAVA_BYTE, JAVA_LONG, JAVA_LONG);
        memsetD16 = library.function("cuMemsetD16Async", JAVA_LONG, JAVA_SHORT, JAVA_LONG, JAVA_LONG);
        memsetD32 = library.function("cuMemsetD32Async", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
        memcpyHtoD = library.function("cuMemcpyHtoDAsync_v2", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        memcpyDtoH = library.function("cuMemcpyDtoHAsync_v2", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        memcpyDtoD = library.function("cuMemcpyDtoDAsync_v2", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    }

    // CUresult cuMemAlloc_v2(CUdeviceptr* address, size_t bytes)
    int memAlloc(long address, long bytes) {
        try {
            return (int) memAlloc.invokeExact(address, bytes);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuMemFree_v2(CUdeviceptr address)
    int memFree(long address) {
        try {
            return (int) memFree.invokeExact(address);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuMemHostAlloc(void** address, size_t bytes, unsigned flags)
    int memHostAlloc(long address, long bytes, int flags) {
        try {
            return (int) memHostAlloc.invokeExact(address, bytes, flags);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuMemFreeHost(void* address)
    int memFreeHost(long address) {
        try {
            return (int) memFreeHost.invokeExact(address);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuMemsetD8Async(CUdeviceptr address, unsigned char value, size_t n, CUstream stream)
    int memsetD8(long address, byte value, long n, long stream) {
        try {
            return (int) memsetD8.invokeExact(address, value, n, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuMemsetD16Async(CUdeviceptr address, unsigned short value, size_t n, CUstream stream)
    int memsetD16(long address, short value, long n, long stream) {
        try {
            return (int) memsetD16.invokeExact(address, value, n, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuMemsetD32Async(CUdeviceptr address, unsigned value, size_t n, CUstream stream)
    int memsetD32(long address, int value, long n, long stream) {
        try {
            return (int) memsetD32.invokeExact(address, value, n, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream stream)
    int memcpyHtoD(long to, long from, long bytes, long stream) {
        try {
            return (int) memcpyHtoD.invokeExact(to, from, bytes, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream)
    int memcpyDtoH(long to, long from, long bytes, long stream) {
        try {
            return (int) memcpyDtoH.invokeExact(to, from, bytes, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
    int memcpyDtoD(long to, long from, long bytes, long stream) {
        try {
            return (int) memcpyDtoD.invokeExact(to, from, bytes, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }
}
