package ds.comm.nccl.driver;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import ds.cuda.NativeLibrary;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** libnccl: the raw calls, which return a status. Addresses and handles are longs. */
final class NcclLibrary {
    /** What all ranks of a group are told by one of them; passed by value. */
    static final MemoryLayout UNIQUE_ID = MemoryLayout.structLayout(
            MemoryLayout.sequenceLayout(Nccl.UNIQUE_ID_BYTES, JAVA_BYTE).withName("internal"));

    private final MethodHandle getVersion;
    private final MethodHandle getUniqueId;
    private final MethodHandle commInitRank;
    private final MethodHandle commSplit;
    private final MethodHandle commDestroy;
    private final MethodHandle commAbort;
    private final MethodHandle commGetAsyncError;
    private final MethodHandle commCount;
    private final MethodHandle commUserRank;
    private final MethodHandle allReduce;
    private final MethodHandle reduceScatter;
    private final MethodHandle allGather;
    private final MethodHandle reduce;
    private final MethodHandle broadcast;
    private final MethodHandle send;
    private final MethodHandle recv;
    private final MethodHandle groupStart;
    private final MethodHandle groupEnd;

    /** Loads it; throws {@link LinkageError} if there is none, or one that cannot split groups (before 2.18). */
    NcclLibrary() {
        NativeLibrary library = NativeLibrary.load("NCCL", List.of("libnccl.so.2"));
        getVersion = library.function("ncclGetVersion", JAVA_LONG);
        getUniqueId = library.function("ncclGetUniqueId", JAVA_LONG);
        commInitRank = library.function("ncclCommInitRank", JAVA_LONG, JAVA_INT, UNIQUE_ID, JAVA_INT);
        commSplit = library.function("ncclCommSplit", JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
        commDestroy = library.function("ncclCommDestroy", JAVA_LONG);
        commAbort = library.function("ncclCommAbort", JAVA_LONG);
        commGetAsyncError = library.function("ncclCommGetAsyncError", JAVA_LONG, JAVA_LONG);
        commCount = library.function("ncclCommCount", JAVA_LONG, JAVA_LONG);
        commUserRank = library.function("ncclCommUserRank", JAVA_LONG, JAVA_LONG);
        allReduce = library.function(
                "ncclAllReduce", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
        reduceScatter = library.function(
                "ncclReduceScatter", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
        allGather = library.function("ncclAllGather", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
        reduce = library.function(
                "ncclReduce", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
        broadcast = library.function(
                "ncclBroadcast", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
        send = library.function("ncclSend", JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
        recv = library.function("ncclRecv", JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
        groupStart = library.function("ncclGroupStart");
        groupEnd = library.function("ncclGroupEnd");
    }

    // ncclResult_t ncclGetVersion(int* version)
    int getVersion(long version) {
        try {
            return (int) getVersion.invokeExact(version);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclGetUniqueId(ncclUniqueId* id)
    int getUniqueId(long id) {
        try {
            return (int) getUniqueId.invokeExact(id);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank)
    int commInitRank(long comm, int ranks, MemorySegment id, int rank) {
        try {
            return (int) commInitRank.invokeExact(comm, ranks, id, rank);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclCommSplit(ncclComm_t comm, int color, int key, ncclComm_t* part, ncclConfig_t* config)
    int commSplit(long comm, int color, int key, long part, long config) {
        try {
            return (int) commSplit.invokeExact(comm, color, key, part, config);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclCommDestroy(ncclComm_t comm)
    int commDestroy(long comm) {
        try {
            return (int) commDestroy.invokeExact(comm);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclCommAbort(ncclComm_t comm)
    int commAbort(long comm) {
        try {
            return (int) commAbort.invokeExact(comm);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error)
    int commGetAsyncError(long comm, long error) {
        try {
            return (int) commGetAsyncError.invokeExact(comm, error);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclCommCount(ncclComm_t comm, int* count)
    int commCount(long comm, long count) {
        try {
            return (int) commCount.invokeExact(comm, count);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclCommUserRank(ncclComm_t comm, int* rank)
    int commUserRank(long comm, long rank) {
        try {
            return (int) commUserRank.invokeExact(comm, rank);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclAllReduce(const void* send, void* receive, size_t count, ncclDataType_t type, ncclRedOp_t op,
    // ncclComm_t comm, cudaStream_t stream)
    int allReduce(long send, long receive, long count, int type, int op, long comm, long stream) {
        try {
            return (int) allReduce.invokeExact(send, receive, count, type, op, comm, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclReduceScatter(const void* send, void* receive, size_t receiveCount, ncclDataType_t type,
    // ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream)
    int reduceScatter(long send, long receive, long receiveCount, int type, int op, long comm, long stream) {
        try {
            return (int) reduceScatter.invokeExact(send, receive, receiveCount, type, op, comm, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclAllGather(const void* send, void* receive, size_t sendCount, ncclDataType_t type, ncclComm_t
    // comm, cudaStream_t stream)
    int allGather(long send, long receive, long sendCount, int type, long comm, long stream) {
        try {
            return (int) allGather.invokeExact(send, receive, sendCount, type, comm, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclReduce(const void* send, void* receive, size_t count, ncclDataType_t type, ncclRedOp_t op, int
    // root, ncclComm_t comm, cudaStream_t stream)
    int reduce(long send, long receive, long count, int type, int op, int root, long comm, long stream) {
        try {
            return (int) reduce.invokeExact(send, receive, count, type, op, root, comm, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclBroadcast(const void* send, void* receive, size_t count, ncclDataType_t type, int root,
    // ncclComm_t comm, cudaStream_t stream)
    int broadcast(long send, long receive, long count, int type, int root, long comm, long stream) {
        try {
            return (int) broadcast.invokeExact(send, receive, count, type, root, comm, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclSend(const void* send, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
    // cudaStream_t stream)
    int send(long send, long count, int type, int peer, long comm, long stream) {
        try {
            return (int) this.send.invokeExact(send, count, type, peer, comm, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclRecv(void* receive, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t
    // stream)
    int recv(long receive, long count, int type, int peer, long comm, long stream) {
        try {
            return (int) recv.invokeExact(receive, count, type, peer, comm, stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclGroupStart()
    int groupStart() {
        try {
            return (int) groupStart.invokeExact();
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // ncclResult_t ncclGroupEnd()
    int groupEnd() {
        try {
            return (int) groupEnd.invokeExact();
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }
}
