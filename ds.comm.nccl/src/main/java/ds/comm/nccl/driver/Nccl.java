package ds.comm.nccl.driver;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import ds.api.DType;
import ds.api.comm.ReduceOp;
import ds.cuda.CudaException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** NCCL's calls with types. The GPU is that of the calling thread; groups are handles. */
public final class Nccl {
    /** Size of what one rank tells the others. */
    public static final int UNIQUE_ID_BYTES = 128;

    private final NcclLibrary library;

    /**
     * Loads it.
     *
     * @throws LinkageError if there is none
     */
    public Nccl() {
        library = new NcclLibrary();
    }

    /** {@return the version, such as {@code "2.27.3"}} */
    public String version() {
        int version = number(library::getVersion, "ncclGetVersion");
        return version / 10000 + "." + version / 100 % 100 + "." + version % 100;
    }

    /** {@return what a new group's ranks have to know} */
    public byte[] uniqueId() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment id = arena.allocate(UNIQUE_ID_BYTES);
            check(library.getUniqueId(id.address()), "ncclGetUniqueId");
            return id.toArray(JAVA_BYTE);
        }
    }

    /** {@return a group, once all its ranks have called this} */
    public long join(int ranks, byte[] id, int rank) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = arena.allocate(JAVA_LONG);
            MemorySegment value = arena.allocateFrom(JAVA_BYTE, id);
            check(library.commInitRank(result.address(), ranks, value, rank), "ncclCommInitRank");
            return result.get(JAVA_LONG, 0);
        }
    }

    /** {@return the part of a group to which this rank belongs, once all its ranks have called this} */
    public long split(long comm, int color, int key) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = arena.allocate(JAVA_LONG);
            check(library.commSplit(comm, color, key, result.address(), 0), "ncclCommSplit");
            return result.get(JAVA_LONG, 0);
        }
    }

    /** {@return this rank's number in a group} */
    public int rank(long comm) {
        return number(result -> library.commUserRank(comm, result), "ncclCommUserRank");
    }

    /** {@return how many ranks a group has} */
    public int size(long comm) {
        return number(result -> library.commCount(comm, result), "ncclCommCount");
    }

    /** Leaves a group in good order. */
    public void destroy(long comm) {
        check(library.commDestroy(comm), "ncclCommDestroy");
    }

    /** Ends what is under way in a group, on this rank. */
    public void abort(long comm) {
        check(library.commAbort(comm), "ncclCommAbort");
    }

    /**
     * Looks whether something under way has failed.
     *
     * @throws CudaException if it has
     */
    public void checkAsync(long comm) {
        int error = number(result -> library.commGetAsyncError(comm, result), "ncclCommGetAsyncError");
        if (error != 7) { // in progress
            check(error, "a collective under way");
        }
    }

    /** Where an operation runs. */
    public record Place(long comm, long stream) {}

    /** Combines over all ranks. */
    public void allReduce(long send, long receive, long count, DType type, ReduceOp op, Place at) {
        check(library.allReduce(send, receive, count, type(type), op(op), at.comm(), at.stream()), "ncclAllReduce");
    }

    /** Combines over all ranks, a shard for each. */
    public void reduceScatter(long send, long receive, long shard, DType type, ReduceOp op, Place at) {
        check(
                library.reduceScatter(send, receive, shard, type(type), op(op), at.comm(), at.stream()),
                "ncclReduceScatter");
    }

    /** Puts shards side by side. */
    public void allGather(long send, long receive, long shard, DType type, Place at) {
        check(library.allGather(send, receive, shard, type(type), at.comm(), at.stream()), "ncclAllGather");
    }

    /** Combines over all ranks, for one. */
    public void reduce(long data, long count, DType type, ReduceOp op, int root, Place at) {
        check(library.reduce(data, data, count, type(type), op(op), root, at.comm(), at.stream()), "ncclReduce");
    }

    /** Copies one rank's to all. */
    public void broadcast(long data, long count, DType type, int root, Place at) {
        check(library.broadcast(data, data, count, type(type), root, at.comm(), at.stream()), "ncclBroadcast");
    }

    /** Sends, in a group of calls. */
    public void send(long data, long count, DType type, int peer, Place at) {
        check(library.send(data, count, type(type), peer, at.comm(), at.stream()), "ncclSend");
    }

    /** Receives, in a group of calls. */
    public void receive(long data, long count, DType type, int peer, Place at) {
        check(library.recv(data, count, type(type), peer, at.comm(), at.stream()), "ncclRecv");
    }

    /** Runs calls as one, so that none waits for another. */
    public void grouped(Runnable calls) {
        check(library.groupStart(), "ncclGroupStart");
        try {
            calls.run();
        } finally {
            check(library.groupEnd(), "ncclGroupEnd");
        }
    }

    /** A call that writes one number. */
    @FunctionalInterface
    private interface Asking {
        int ask(long result);
    }

    private static int number(Asking asking, String call) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = arena.allocate(JAVA_INT);
            check(asking.ask(result.address()), call);
            return result.get(JAVA_INT, 0);
        }
    }

    // ncclDataType_t
    private static int type(DType dtype) {
        return switch (dtype) {
            case I32 -> 2;
            case F16 -> 6;
            case F32 -> 7;
            case F64 -> 8;
            case BF16 -> 9;
        };
    }

    // ncclRedOp_t
    private static int op(ReduceOp op) {
        return switch (op) {
            case SUM -> 0;
            case MAX -> 2;
        };
    }

    private static void check(int status, String call) {
        if (status != 0) {
            String what = switch (status) {
                case 1 -> "a CUDA call has failed; NCCL_DEBUG=INFO says which";
                case 2 ->
                    "a system call has failed; NCCL_DEBUG=INFO says which. If ranks do not reach each other, name the network by"
                            + " NCCL_SOCKET_IFNAME; in a container, give it shared memory";
                case 3 -> "internal error; NCCL_DEBUG=INFO says more. Are all ranks' versions of NCCL the same?";
                case 4 -> "invalid argument";
                case 5 -> "invalid usage; two ranks of a host with the same GPU? NCCL_DEBUG=WARN says more";
                case 6 -> "another rank has failed, or the network; the first rank that failed names the cause";
                default -> "unknown status";
            };
            throw new CudaException("NCCL: " + call + ": " + what + " (" + status + ")", status);
        }
    }
}
