package ds.api.comm;

import ds.api.Device;
import ds.api.Tensor;
import java.util.function.IntUnaryOperator;

/**
 * A group of ranks, numbered 0 to {@code worldSize - 1}. All ranks of a group call the same operations in the same order with
 * the same dtypes, sizes and labels; a mismatch is detected and named, not hung on. Collectives of one group run in order;
 * those of different groups are independent. Results repeat bit for bit, and are the same on every rank.
 *
 * <p>Operands are read and written by threads of the communicator, so host memory must not be confined to one thread.
 *
 * <p>S stands for the bytes of the whole buffer, N for the world size. The stated costs are what a rank sends and receives.
 * A world of one rank is legal everywhere, and sends nothing.
 */
public interface Communicator extends AutoCloseable {
    /** {@return this process's number in the group} */
    int rank();

    /** {@return how many ranks the group has} */
    int worldSize();

    /** {@return whether tensors on this device can be passed; others have to be staged through host memory} */
    boolean accepts(Device device);

    /**
     * Combines {@code data} over all ranks, in place. Cost 2S(N−1)/N.
     *
     * @param data F32, F64, BF16, F16 or I32, as many elements on every rank
     */
    Work allReduce(Tensor data, ReduceOp op, Call call);

    /**
     * Combines {@code input} over all ranks; rank r receives shard r of the result. Cost S(N−1)/N. The order of summation
     * depends on the group and its placement alone, never on the size: the same bits for any way to cut a buffer into calls. On
     * one host it is that of the ranks; a provider may sum host by host where hosts have several ranks.
     *
     * @param input {@code [N * shard]}; left as it is, except where output is part of it
     * @param output {@code [shard]}, of input's type; may be shard {@code rank} of {@code input}
     */
    Work reduceScatter(Tensor input, Tensor output, ReduceOp op, Call call);

    /**
     * Puts the ranks' shards side by side on every rank. Cost S(N−1)/N.
     *
     * @param input {@code [shard]}; may be shard {@code rank} of {@code output}
     * @param output {@code [N * shard]}, of input's type
     */
    Work allGather(Tensor input, Tensor output, Call call);

    /**
     * Combines {@code data} over all ranks, in the order of {@link #reduceScatter}, into that of rank {@code root}. Cost S(N−1)/N and S/N for
     * every rank but the root, which receives 2S(N−1)/N.
     *
     * @param data read and overwritten: the result on the root; undefined on the others
     */
    Work reduce(Tensor data, ReduceOp op, int root, Call call);

    /**
     * Puts the ranks' shards side by side on rank {@code root}. Cost: every other rank sends S/N.
     *
     * @param input {@code [shard]}; on the root it may be shard {@code root} of {@code output}
     * @param output {@code [N * shard]}, of input's type, on the root; on the others it is not used, and may be {@code input}
     */
    Work gather(Tensor input, Tensor output, int root, Call call);

    /**
     * Sends shard r of {@code input} to rank r, which puts it where this rank's number says. Cost S(N−1)/N.
     *
     * @param input {@code [N * shard]}
     * @param output {@code [N * shard]}, of input's type; other memory than {@code input}
     */
    Work allToAll(Tensor input, Tensor output, Call call);

    /** Copies {@code data} of rank {@code root} to all ranks. */
    Work broadcast(Tensor data, int root, Call call);

    /**
     * Sends {@code data} to a peer, which calls {@link #receive}: the one pair of operations that only two ranks call. What
     * one rank sends another arrives in order; it waits neither for collectives nor for what the other one sends. Is done
     * once the peer has called {@link #receive}.
     */
    Work send(Tensor data, int peer, Call call);

    /** Receives what {@code peer} sends to this rank, into a tensor of the same type and size. */
    Work receive(Tensor data, int peer, Call call);

    /** Is done once every rank has called it. */
    Work barrier(Call call);

    /**
     * Splits the group: ranks with the same color form a new one, ordered by key, then by rank. All ranks of this group call
     * it.
     *
     * @param color not negative
     * @return handed over
     */
    Communicator split(int color, int key);

    /**
     * Splits the group by a rule that every rank knows: ranks to which it gives the same color form a new one, in their order. All
     * ranks of this group call it with the same rule.
     *
     * @param color of each rank of this group, not negative
     * @return handed over
     */
    default Communicator split(IntUnaryOperator color) {
        return split(color.applyAsInt(rank()), rank());
    }

    /**
     * {@return how many ranks share a host: consecutive ones, as many on each host; 1 where that is not so, or not known}
     */
    default int ranksPerHost() {
        return 1;
    }

    /** {@return what this rank has sent} */
    Traffic traffic();

    /**
     * Ends the group at once, on all ranks, and with it the job that it is a part of: everything under way fails with
     * {@code reason}. For a rank that cannot go on; the others must not wait for it until a deadline.
     */
    void abort(String reason);

    /** Leaves the group in good order: waits for what is under way. Does nothing after a failure but free resources. */
    @Override
    void close();
}
