package ds.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.invoke.MethodHandle;

/** Streams and events: raw calls of the driver, which return a status. */
final class StreamLibrary {
    private final MethodHandle streamCreate;
    private final MethodHandle streamDestroy;
    private final MethodHandle streamSynchronize;
    private final MethodHandle streamWaitEvent;
    private final MethodHandle eventCreate;
    private final MethodHandle eventRecord;
    private final MethodHandle eventQuery;
    private final MethodHandle eventSynchronize;
    private final MethodHandle eventDestroy;

    StreamLibrary(NativeLibrary library) {
        streamCreate = library.function("cuStreamCreate", JAVA_LONG, JAVA_INT);
        streamDestroy = library.function("cuStreamDestroy_v2", JAVA_LONG);
        streamSynchronize = library.function("cuStreamSynchronize", JAVA_LONG);
        streamWaitEvent = library.function("cuStreamWaitEvent", JAVA_LONG, JAVA_LONG, JAVA_INT);
        eventCreate = library.function("cuEventCreate", JAVA_LONG, JAVA_INT);
        eventRecord = library.function("cuEventRecord", JAVA_LONG, JAVA_LONG);
        eventQuery = library.function("cuEventQuery", JAVA_LONG);
        eventSynchronize = library.function("cuEventSynchronize", JAVA_LONG);
        eventDestroy = library.function("cuEventDestroy_v2", JAVA_LONG);
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
}
