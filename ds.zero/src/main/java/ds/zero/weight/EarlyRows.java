package ds.zero.weight;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Work;
import ds.api.layer.GradientRows;
import ds.api.layer.Parameter;
import ds.zero.run.Stack;
import ds.zero.timing.StepTimer;
import ds.zero.unit.NamedRows;
import ds.zero.unit.Units;
import java.util.Map;

/**
 * What a unit's own layer reads of it ({@link NamedRows}), while the unit as a whole is still on its way from those who updated it. It
 * travels in a group of its own, so that nothing that was asked for before holds it up.
 *
 * <p>Every rank puts in what it owns, and 0 elsewhere; their sum, taken as integers, is every element's own bits. So what is
 * put into the weights is what the unit as a whole will put there once more.
 */
final class EarlyRows implements AutoCloseable {
    /** What is named is so much smaller than the unit that it is worth being sent twice: an all-reduce of it is a quarter of a gather. */
    private static final long MOST_OF_UNIT = 8;

    private final Units units;
    private final TensorBackend backend;
    private final Communicator group;
    private final StepTimer timer;
    private final NamedRows[] named;
    private final Memory[] memory;

    /**
     * For the rows of one unit.
     *
     * @param index I32, their numbers
     * @param values of them and of the other parameters
     * @param bits the same and padding, as I32
     */
    private record Memory(Tensor index, Tensor values, Tensor bits) {
        void free() {
            index.buffer().close();
            bits.buffer().close();
        }
    }

    /** Makes a group of all ranks; all of them call it. */
    EarlyRows(Units units, Stack stack, StepTimer timer) {
        this.units = units;
        this.backend = stack.backend();
        this.group = stack.communicator().split(rank -> 0);
        this.timer = timer;
        this.named = new NamedRows[units.count()];
        this.memory = new Memory[units.count()];
    }

    /**
     * Has the memory for what a layer reads of its unit, unless it is so much that it is not worth being sent apart.
     *
     * @param rows that this rank reads; every rank as many
     * @return whether it is worth it
     */
    boolean prepare(int unit, GradientRows rows, DType dtype) {
        if (named[unit] == null || !named[unit].isFor(rows, group.worldSize())) {
            free(unit);
            named[unit] = new NamedRows(
                    backend.kernels(backend.computeStream()), units.layout(unit), rows, group.worldSize());
        }
        boolean few =
                MOST_OF_UNIT * named[unit].elements() <= units.layout(unit).elements();
        if (few && memory[unit] == null) {
            memory[unit] = allocate(named[unit], dtype);
        }
        return few;
    }

    private Memory allocate(NamedRows rows, DType dtype) {
        long words = Math.ceilDiv(rows.elements() * dtype.byteSize(), Integer.BYTES);
        Tensor bits = backend.allocate(DType.I32, Shape.of(words), "communicationBuckets");
        backend.kernels(backend.computeStream()).fill(bits, 0); // of which padding stays so
        return new Memory(
                backend.allocate(DType.I32, Shape.of(rows.count()), "communicationBuckets"),
                new Tensor(bits.buffer(), dtype, Shape.of(rows.elements()), bits.byteOffset()),
                bits);
    }

    /**
     * Has what the layer reads there.
     *
     * @param rows that this rank reads, {@link #prepare prepared}
     * @param views the unit's parameters, of which this rank's shard has its values, and the others will get theirs
     */
    void fetch(int unit, GradientRows rows, Map<Parameter, Tensor> views) {
        Memory at = memory[unit];
        await(group.allGather(rows.rows(), at.index(), call("rows", unit)));
        named[unit].take(units.owned(unit), views, at.index(), at.values());
        await(group.allReduce(at.bits(), ReduceOp.SUM, call("weights of rows", unit)));
        named[unit].put(at.values(), at.index(), views);
    }

    private Call call(String what, int unit) {
        return new Call(
                what + " of " + units.layout(unit).name(),
                backend.computeStream().record(),
                true); // the first layer waits for them, the weights on their way do not
    }

    private void await(Work work) {
        timer.await(work, backend.computeStream());
    }

    private void free(int unit) {
        if (memory[unit] != null) {
            memory[unit].free();
            memory[unit] = null;
        }
    }

    @Override
    public void close() {
        for (int unit = 0; unit < memory.length; unit++) {
            free(unit);
        }
        group.close();
    }
}
