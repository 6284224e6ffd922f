package ds.models.gpt.parallel;

import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Work;
import ds.api.layer.Pass;

/**
 * Where the B·T rows of activations are between the products that split them by channels. With sequence parallelism each rank
 * normalises, drops and adds its part of the rows alone: what comes out of a product is summed and dealt in one reduce-scatter,
 * and gathered in front of the next product, which sends as much as one all-reduce. Where the ranks do not divide the rows every
 * rank has all of them, and products are summed by an all-reduce.
 *
 * @param axis the ranks
 * @param all B·T
 * @param parts into how many equal parts the rows are dealt: one for each rank, or 1
 */
public record TokenRows(TensorAxis axis, long all, int parts) {
    /** {@return how many rows a rank has} */
    public long own() {
        return all / parts;
    }

    /** {@return the first of this rank's rows} */
    public long first() {
        return areDealt() ? axis.rank() * own() : 0;
    }

    /** {@return whether each rank has only its part} */
    public boolean areDealt() {
        return parts > 1;
    }

    /** {@return this rank's rows out of all} */
    public Tensor part(Tensor rows) {
        return areDealt() ? rows.rows(first(), own()) : rows;
    }

    /**
     * Has all rows there, of which {@link #part} is this rank's; waits for it.
     *
     * @param rows {@code [all, ..]}
     * @param label of the collective
     */
    public void gather(Pass pass, Tensor rows, String label) {
        if (areDealt()) {
            await(pass, group().allGather(part(rows), rows, call(pass, label)));
        }
    }

    /**
     * Adds up what each rank has computed of all rows; {@link #part} holds this rank's rows of the sum once the work is awaited,
     * and the others are undefined.
     *
     * @param partial {@code [all, ..]}
     * @param label of the collective
     */
    public Work sum(Pass pass, Tensor partial, String label) {
        if (!axis.isSplit()) {
            return () -> {};
        }
        Call call = call(pass, label);
        return areDealt()
                ? group().reduceScatter(partial, part(partial), ReduceOp.SUM, call)
                : group().allReduce(partial, ReduceOp.SUM, call);
    }

    /**
     * Adds gradients of replicated parameters, to which each rank contributes its rows: afterwards all ranks have the same bits.
     *
     * @param gradients F32; without dealt rows they are complete already
     */
    public void sumGradients(Pass pass, Tensor gradients, String label) {
        if (areDealt()) {
            await(pass, group().allReduce(gradients, ReduceOp.SUM, call(pass, label)));
        }
    }

    /** Has kernels from now on wait for it. */
    public static void await(Pass pass, Work work) {
        work.await(pass.kernels().stream());
    }

    private Communicator group() {
        return axis.group().orElseThrow();
    }

    static Call call(Pass pass, String label) {
        return new Call(label, pass.kernels().stream().record());
    }
}
