package ds.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.invoke.MethodHandle;

/** Compiled kernels and their launches: raw calls of the driver, which return a status. */
final class ModuleLibrary {
    private final MethodHandle moduleLoadData;
    private final MethodHandle moduleUnload;
    private final MethodHandle moduleGetFunction;
    private final MethodHandle funcSetAttribute;
    private final MethodHandle launchKernel;

    ModuleLibrary(NativeLibrary library) {
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
}
