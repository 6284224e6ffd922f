package ds.zero.weight;

import ds.api.DType;
import ds.api.Kernels;
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
import ds.zero.unit.UnitLayout;
import ds.zero.unit.UnitLayout.Range;
import ds.zero.unit.Units;
import java.util.List;
import java.util.Map;

/**
 * What a unit's own layer reads of it, while the unit as a whole is still on its way from those who updated it: the rows of its
 * table that the batches of all ranks name, and its other parameters. They travel in a group of their own, so that nothing that was
 * asked for before holds them up.
 *
 * <p>Every rank puts in what it owns, and 0 elsewhere; their sum, taken as integers, is every element's own bits. So what is
 * put into the weights is what the unit as a whole will put there once more.
 */
final class EarlyRows implements AutoCloseable {
    /** What is named is so much smaller than the unit that it is worth being sent twice: an all-reduce of it is a quarter of a gather. */
    private static final long MOST_OF_UNIT = 8;

    private final Units units;
    private final TensorBackend backend;
    private final Kernels kernels;
    private final Communicator group;
    private final StepTimer timer;
    private final Memory[] memory;

    /**
     * Of one unit.
     *
     * @param index I32, the rows that all ranks name
     * @param rows their values
     * @param others values of the other parameters, and padding
     * @param bits both, as I32
     */
    private record Memory(Tensor index, Tensor rows, Tensor others, Tensor bits) implements AutoCloseable {
        @Override
        public void close() {
            index.buffer().close();
            bits.buffer().close();
        }
    }

    /** Makes a group of all ranks; all of them call it. */
    EarlyRows(Units units, Stack stack, StepTimer timer) {
        this.units = units;
        this.backend = stack.backend();
        this.kernels = backend.kernels(backend.computeStream());
        this.group = stack.communicator().split(rank -> 0);
        this.timer = timer;
        this.memory = new Memory[units.count()];
    }

    /** {@return whether a layer reads so little of its unit that it is worth being sent apart} */
    boolean areFew(int unit, GradientRows rows) {
        return MOST_OF_UNIT * elements(unit, rows) <= units.layout(unit).elements();
    }

    private long elements(int unit, GradientRows rows) {
        return named(rows) * rows.table().shape().columns()
                + others(unit, rows.table()).stream()
                        .mapToLong(Parameter::elements)
                        .sum();
    }

    private long named(GradientRows rows) {
        return group.worldSize() * rows.rows().elements();
    }

    private List<Parameter> others(int unit, Parameter table) {
        return units.layout(unit).parameters().stream()
                .filter(parameter -> !parameter.equals(table))
                .toList();
    }

    /** Has the memory for rows of which there are {@link #areFew few}. */
    void prepare(int unit, GradientRows rows, DType dtype) {
        Memory before = memory[unit];
        if (before == null || before.index().elements() != named(rows)) {
            if (before != null) {
                before.close();
            }
            memory[unit] = allocate(unit, rows, dtype);
        }
    }

    /**
     * Has some of a unit's values there.
     *
     * @param rows that this rank reads, {@link #prepare prepared}; every rank as many
     * @param all the unit, of which this rank's shard has its values, and the others will get theirs
     * @param views parameters in it
     */
    void fetch(int unit, GradientRows rows, Tensor all, Map<Parameter, Tensor> views) {
        Memory at = memory[unit];
        Tensor table = views.get(rows.table());
        await(group.allGather(rows.rows(), at.index(), call("rows", layout(unit))));
        Range own = units.owned(unit);
        long before = layout(unit).offset(rows.table());
        kernels.gatherRowsWithin(table, own.first() - before, own.end() - before, at.index(), at.rows());
        takeOwn(unit, rows.table(), all, at.others());
        await(group.allReduce(at.bits(), ReduceOp.SUM, call("weights of rows", layout(unit))));
        kernels.scatterRows(at.rows(), at.index(), table);
        long next = 0;
        for (Parameter other : others(unit, rows.table())) {
            kernels.copy(at.others().slice(next, other.elements()), views.get(other));
            next += other.elements();
        }
    }

    /** What this rank owns of a unit's other parameters, and 0. */
    private void takeOwn(int unit, Parameter table, Tensor all, Tensor others) {
        kernels.fill(others, 0);
        long next = 0;
        for (Parameter other : others(unit, table)) {
            long first = layout(unit).offset(other);
            Range mine = units.owned(unit).intersect(new Range(first, first + other.elements()));
            if (!mine.isEmpty()) {
                Tensor target = others.slice(next + mine.first() - first, mine.elements());
                kernels.copy(all.slice(mine.first(), mine.elements()), target);
            }
            next += other.elements();
        }
    }

    private UnitLayout layout(int unit) {
        return units.layout(unit);
    }

    private Call call(String what, UnitLayout layout) {
        return new Call(what + " of " + layout.name(), backend.computeStream().record());
    }

    private void await(Work work) {
        timer.await(work, backend.computeStream());
    }

    private Memory allocate(int unit, GradientRows rows, DType dtype) {
        long ofRows = named(rows) * rows.table().shape().columns();
        long words = Math.ceilDiv(elements(unit, rows) * dtype.byteSize(), Integer.BYTES)
                + 1; // so that others are never none
        Tensor bits = backend.allocate(DType.I32, Shape.of(words), "communicationBuckets");
        Tensor values =
                new Tensor(bits.buffer(), dtype, Shape.of(words * Integer.BYTES / dtype.byteSize()), bits.byteOffset());
        return new Memory(
                backend.allocate(DType.I32, Shape.of(named(rows)), "communicationBuckets"),
                values.slice(0, ofRows),
                values.slice(ofRows, values.elements() - ofRows),
                bits);
    }

    @Override
    public void close() {
        for (Memory of : memory) {
            if (of != null) {
                of.close();
            }
        }
        group.close();
    }
}
