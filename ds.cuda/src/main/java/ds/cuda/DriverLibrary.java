package ds.cuda;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.invoke.MethodHandle;
import java.util.List;

/** libcuda, the driver's library: the raw calls, which return a status. Addresses and handles are longs. */
final class DriverLibrary {
    private final MethodHandle init;
    private final MethodHandle driverGetVersion;
    private final MethodHandle deviceGetCount;
    private final MethodHandle deviceGet;
    private final MethodHandle deviceGetName;
    private final MethodHandle deviceGetAttribute;
    private final MethodHandle deviceTotalMem;
    private final MethodHandle primaryCtxRetain;
    private final MethodHandle primaryCtxRelease;
    private final MethodHandle ctxSetCurrent;
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
    private final MethodHandle streamCreate;
    private final MethodHandle streamDestroy;
    private final MethodHandle streamSynchronize;
    private final MethodHandle streamWaitEvent;
    private final MethodHandle eventCreate;
    private final MethodHandle eventRecord;
    private final MethodHandle eventQuery;
    private final MethodHandle eventSynchronize;
    private final MethodHandle eventDestroy;
    private final MethodHandle moduleLoadData;
    private final MethodHandle moduleUnload;
    private final MethodHandle moduleGetFunction;
    private final MethodHandle funcSetAttribute;
    private final MethodHandle launchKernel;
    private final MethodHandle getErrorName;
    private final MethodHandle getErrorString;

    /** Loads it; throws {@link LinkageError} if there is none. */
    DriverLibrary() {
        NativeLibrary library = NativeLibrary.load("the CUDA driver", List.of("libcuda.so.1"));
        init = library.function("cuInit", JAVA_INT);
        driverGetVersion = library.function("cuDriverGetVersion", JAVA_LONG);
        deviceGetCount = library.function("cuDeviceGetCount", JAVA_LONG);
        deviceGet = library.function("cuDeviceGet", JAVA_LONG, JAVA_INT);
        deviceGetName = library.function("cuDeviceGetName", JAVA_LONG, JAVA_INT, JAVA_INT);
        deviceGetAttribute = library.function("cuDeviceGetAttribute", JAVA_LONG, JAVA_INT, JAVA_INT);
        deviceTotalMem = library.function("cuDeviceTotalMem_v2", JAVA_LONG, JAVA_INT);
        primaryCtxRetain = library.function("cuDevicePrimaryCtxRetain", JAVA_LONG, JAVA_INT);
        primaryCtxRelease = library.function("cuDevicePrimaryCtxRelease_v2", JAVA_INT);
        ctxSetCurrent = library.function("cuCtxSetCurrent", JAVA_LONG);
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
        streamCreate = library.function("cuStreamCreate", JAVA_LONG, JAVA_INT);
        streamDestroy = library.function("cuStreamDestroy_v2", JAVA_LONG);
        streamSynchronize = library.function("cuStreamSynchronize", JAVA_LONG);
        streamWaitEvent = library.function("cuStreamWaitEvent", JAVA_LONG, JAVA_LONG, JAVA_INT);
        eventCreate = library.function("cuEventCreate", JAVA_LONG, JAVA_INT);
        eventRecord = library.function("cuEventRecord", JAVA_LONG, JAVA_LONG);
        eventQuery = library.function("cuEventQuery", JAVA_LONG);
        eventSynchronize = library.function("cuEventSynchronize", JAVA_LONG);
        eventDestroy = library.function("cuEventDestroy_v2", JAVA_LONG);
        moduleLoadData = library.function("cuModuleLoadData", JAVA_LONG, JAVA_LONG);
        moduleUnload = library.function("cuModuleUnload", JAVA_LONG);
        moduleGetFunction = library.function("cuModuleGetFunction", JAVA_LONG, JAVA_LONG, JAVA_LONG);
        funcSetAttribute = library.function("cuFuncSetAttribute", JAVA_LONG, JAVA_LONG, JAVA_INT);
        launchKernel = library.function(
                "cuLaunchKernel",
                JAVA_LONG,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG);
        getErrorName = library.function("cuGetErrorName", JAVA_INT, JAVA_LONG);
        getErrorString = library.function("cuGetErrorString", JAVA_INT, JAVA_LONG);
    }

    // CUresult cuInit(unsigned flags)
    int init(int flags) {
        try {
            return (int) init.invokeExact(flags);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuDriverGetVersion(int* version)
    int driverGetVersion(long version) {
        try {
            return (int) driverGetVersion.invokeExact(version);
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

    // CUresult cuDeviceGetName(char* name, int length, CUdevice device)
    int deviceGetName(long name, int length, int device) {
        try {
            return (int) deviceGetName.invokeExact(name, length, device);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice device)
    int deviceGetAttribute(long value, int attribute, int device) {
        try {
            return (int) deviceGetAttribute.invokeExact(value, attribute, device);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice device)
    int deviceTotalMem(long bytes, int device) {
        try {
            return (int) deviceTotalMem.invokeExact(bytes, device);
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

    // CUresult cuStreamSynchronize(CUstream stream)
    int streamSynchronize(long stream) {
        try {
            return (int) streamSynchronize.invokeExact(stream);
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

    // CUresult cuModuleLoadData(CUmodule* module, const void* image)
    int moduleLoadData(long module, long image) {
        try {
            return (int) moduleLoadData.invokeExact(module, image);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuModuleUnload(CUmodule module)
    int moduleUnload(long module) {
        try {
            return (int) moduleUnload.invokeExact(module);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name)
    int moduleGetFunction(long function, long module, long name) {
        try {
            return (int) moduleGetFunction.invokeExact(function, module, name);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value)
    int funcSetAttribute(long function, long attribute, int value) {
        try {
            return (int) funcSetAttribute.invokeExact(function, attribute, value);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
    // unsigned blockY, unsigned blockZ, unsigned sharedBytes, CUstream stream, void** parameters, void** extra)
    int launchKernel(
            long function,
            int gridX,
            int gridY,
            int gridZ,
            int blockX,
            int blockY,
            int blockZ,
            int sharedBytes,
            long stream,
            long parameters,
            long extra) {
        try {
            return (int) launchKernel.invokeExact(
                    function, gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes, stream, parameters, extra);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuGetErrorName(CUresult status, const char** name)
    int getErrorName(int status, long name) {
        try {
            return (int) getErrorName.invokeExact(status, name);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // CUresult cuGetErrorString(CUresult status, const char** text)
    int getErrorString(int status, long text) {
        try {
            return (int) getErrorString.invokeExact(status, text);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }
}
