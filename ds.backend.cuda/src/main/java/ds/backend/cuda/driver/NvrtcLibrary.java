package ds.backend.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import ds.cuda.NativeLibrary;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** libnvrtc, the compiler of CUDA C++: the raw calls, which return a status. Addresses and handles are longs. */
final class NvrtcLibrary {
    private final MethodHandle version;
    private final MethodHandle createProgram;
    private final MethodHandle compileProgram;
    private final MethodHandle getProgramLogSize;
    private final MethodHandle getProgramLog;
    private final MethodHandle getCubinSize;
    private final MethodHandle getCubin;
    private final MethodHandle destroyProgram;

    /** Loads the first that is found; throws {@link LinkageError} if there is none. */
    NvrtcLibrary(List<String> names) {
        NativeLibrary library = NativeLibrary.load("NVRTC, CUDA's runtime compiler", names, "libnvrtc-builtins.so");
        version = library.function("nvrtcVersion", JAVA_LONG, JAVA_LONG);
        createProgram =
                library.function("nvrtcCreateProgram", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
        compileProgram = library.function("nvrtcCompileProgram", JAVA_LONG, JAVA_INT, JAVA_LONG);
        getProgramLogSize = library.function("nvrtcGetProgramLogSize", JAVA_LONG, JAVA_LONG);
        getProgramLog = library.function("nvrtcGetProgramLog", JAVA_LONG, JAVA_LONG);
        getCubinSize = library.function("nvrtcGetCUBINSize", JAVA_LONG, JAVA_LONG);
        getCubin = library.function("nvrtcGetCUBIN", JAVA_LONG, JAVA_LONG);
        destroyProgram = library.function("nvrtcDestroyProgram", JAVA_LONG);
    }

    // nvrtcResult nvrtcVersion(int* major, int* minor)
    int version(long major, long minor) {
        try {
            return (int) version.invokeExact(major, minor);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // nvrtcResult nvrtcCreateProgram(nvrtcProgram* program, const char* source, const char* name, int headers, const
    // char* const* headerSources, const char* const* headerNames)
    int createProgram(long program, long source, long name, int headers, long headerSources, long headerNames) {
        try {
            return (int) createProgram.invokeExact(program, source, name, headers, headerSources, headerNames);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int count, const char* const* options)
    int compileProgram(long program, int count, long options) {
        try {
            return (int) compileProgram.invokeExact(program, count, options);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t* size)
    int getProgramLogSize(long program, long size) {
        try {
            return (int) getProgramLogSize.invokeExact(program, size);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char* log)
    int getProgramLog(long program, long log) {
        try {
            return (int) getProgramLog.invokeExact(program, log);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t* size)
    int getCubinSize(long program, long size) {
        try {
            return (int) getCubinSize.invokeExact(program, size);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char* image)
    int getCubin(long program, long image) {
        try {
            return (int) getCubin.invokeExact(program, image);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // nvrtcResult nvrtcDestroyProgram(nvrtcProgram* program)
    int destroyProgram(long program) {
        try {
            return (int) destroyProgram.invokeExact(program);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }
}
