package ds.comm.nccl.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.invoke.MethodHandle;
import java.util.List;

/** libcuda, as far as collectives need it: the raw calls, which return a status. Addresses and handles are longs. */
final class DriverLibrary {
    private final MethodHandle init;
    private final MethodHandle deviceGetCount;
    private final MethodHandle deviceGet;
    private final MethodHandle primaryCtxRetain;
    private final MethodHandle primaryCtxRelease;
    private final MethodHandle ctxSetCurrent;
    private final MethodHandle memAlloc;
    private final MethodHandle memFree;
    private final MethodHandle memcpyDtoD;
    private final MethodHandle streamCreate;
    private final MethodHandle streamDestroy;
    private final MethodHandle streamWaitEvent;
    private final MethodHandle eventCreate;
    private final MethodHandle eventRecord;
    private final MethodHandle eventQuery;
    private final MethodHandle eventSynchronize;
    private final MethodHandle eventDestroy;

    /** Loads it; throws {@link LinkageError} if there is none. */
    DriverLibrary() {
        NativeLibrary library = NativeLibrary.load("the CUDA driver", List.of("libcuda.so.1"));
        init = library.function("cuInit", JAVA_INT);
        deviceGetCount = library.function("cuDeviceGetCount", JAVA_LONG);
        deviceGet = library.function("cuDeviceGet", JAVA_LONG, JAVA_INT);
        primaryCtxRetain = library.function("cuDevicePrimaryCtxRetain", JAVA_LONG, JAVA_INT);
        primaryCtxRelease = library.function("cuDevicePrimaryCtxRelease_v2", JAVA_INT);
        ctxSetCurrent = library.function("cuCtxSetCurrent", JAVA_LONG);
        memAlloc = library.function("cuMemAlloc_v2", JAVA_LONG, JAVA_LONG);
        memFree = library.function("cuMemFree_v2", JAVA_LONG);
        memcpyDtoD = library.function("cuMemcpyDtoDAsync_v2", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        streamCreate = library.function("cuStreamCreate", JAVA_LONG, JAVA_INT);
        streamDestroy = library.function("cuStreamDestroy_v2", JAVA_LONG);
        streamWaitEvent = library.function("cuStreamWaitEvent", JAVA_LONG, JAVA_LONG, JAVA_INT);
        eventCreate = library.function("cuEventCreate", JAVA_LONG, JAVA_INT);
        eventRecord = library.function("cuEventRecord", JAVA_LONG, JAVA_LONG);
        eventQuery = library.function("cuEventQuery", JAVA_LONG);
        eventSynchronize = library.function("cuEventSynchronize", JAVA_LONG);
        eventDestroy = library.function("cuEventDestroy_v2", JAVA_LONG);
    }

    // CUresult cuInit(unsigned flags)
    int init(int flags) {
        try {
            return (int) init.invokeExact(flags);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuDeviceGetCount(int* count)
    int deviceGetCount(long count) {
        try {
            return (int) deviceGetCount.invokeExact(count);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuDeviceGet(CUdevice* device, int ordinal)
    int deviceGet(long device, int ordinal) {
        try {
            return (int) deviceGet.invokeExact(device, ordinal);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device)
    int primaryCtxRetain(long context, int device) {
        try {
            return (int) primaryCtxRetain.invokeExact(context, device);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
    int primaryCtxRelease(int device) {
        try {
            return (int) primaryCtxRelease.invokeExact(device);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuCtxSetCurrent(CUcontext context)
    int ctxSetCurrent(long context) {
        try {
            return (int) ctxSetCurrent.invokeExact(context);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
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

    // CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
    int memcpyDtoD(long to, long from, long bytes, long stream) {
        try {
            return (int) memcpyDtoD.invokeExact(to, from, bytes, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuStreamCreate(CUstream* stream, unsigned flags)
    int streamCreate(long stream, int flags) {
        try {
            return (int) streamCreate.invokeExact(stream, flags);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuStreamDestroy_v2(CUstream stream)
    int streamDestroy(long stream) {
        try {
            return (int) streamDestroy.invokeExact(stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags)
    int streamWaitEvent(long stream, long event, int flags) {
        try {
            return (int) streamWaitEvent.invokeExact(stream, event, flags);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuEventCreate(CUevent* event, unsigned flags)
    int eventCreate(long event, int flags) {
        try {
            return (int) eventCreate.invokeExact(event, flags);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuEventRecord(CUevent event, CUstream stream)
    int eventRecord(long event, long stream) {
        try {
            return (int) eventRecord.invokeExact(event, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuEventQuery(CUevent event)
    int eventQuery(long event) {
        try {
            return (int) eventQuery.invokeExact(event);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuEventSynchronize(CUevent event)
    int eventSynchronize(long event) {
        try {
            return (int) eventSynchronize.invokeExact(event);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuEventDestroy_v2(CUevent event)
    int eventDestroy(long event) {
        try {
            return (int) eventDestroy.invokeExact(event);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }
}
