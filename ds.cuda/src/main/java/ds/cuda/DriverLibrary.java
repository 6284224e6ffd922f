package ds.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.invoke.MethodHandle;
import java.util.List;

/**
 * libcuda, the driver's library: devices, contexts and what statuses mean. The raw calls, here and in {@link MemoryLibrary}, {@link
 * StreamLibrary} and {@link ModuleLibrary}, return a status. Addresses and handles are longs.
 */
final class DriverLibrary {
    private final MemoryLibrary memory;
    private final StreamLibrary streams;
    private final ModuleLibrary modules;
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
    private final MethodHandle getErrorName;
    private final MethodHandle getErrorString;

    /** Loads it; throws {@link LinkageError} if there is none. */
    DriverLibrary() {
        NativeLibrary library = NativeLibrary.load("the CUDA driver", List.of("libcuda.so.1"));
        memory = new MemoryLibrary(library);
        streams = new StreamLibrary(library);
        modules = new ModuleLibrary(library);
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
        getErrorName = library.function("cuGetErrorName", JAVA_INT, JAVA_LONG);
        getErrorString = library.function("cuGetErrorString", JAVA_INT, JAVA_LONG);
    }

    MemoryLibrary memory() {
        return memory;
    }

    StreamLibrary streams() {
        return streams;
    }

    ModuleLibrary modules() {
        return modules;
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
