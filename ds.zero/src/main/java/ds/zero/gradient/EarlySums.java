package ds.zero.gradient;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Work;
import ds.api.layer.GradientRows;
import ds.zero.run.Stack;
import ds.zero.unit.InFlight;
import ds.zero.unit.ShardSums.ShardSink;
import ds.zero.unit.UnitBuffers;
import ds.zero.unit.UnitBuffers.Lease;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;

/**
 * Sums over the ranks of units whose table layers behind share. Such a table is large, and but for a few rows complete when those
 * layers are done: all of it travels then ({@link #begin}), while the layers between go back, and the rows that were late follow
 * ({@link #finish}), of which the first sum is of no use. Each element is rounded and summed as if all had waited.
 */
final class EarlySums implements AutoCloseable {
    private final Units units;
    private final TensorBackend backend;
    private final Communicator communicator;
    private final Kernels kernels;
    private final InFlight inFlight;
    private final UnitBuffers buffers;
    private final Reach reach;
    private final LateRows[] late;
    private final boolean[] announced;
    private final UnderWay[] underWay;

    /** Who has a sum. */
    enum Reach {
        /** Every rank has all of it. */
        EVERYWHERE,
        /** Every rank has its shard. */
        OWNERS,
        /** Nobody: nothing travels early. */
        NOWHERE
    }

    private static final class UnderWay {
        private final Lease sums;
        private final Work work;
        private final LateRows.Named rows;
        private final Tensor values;
        private boolean arrived;
        private boolean restored;

        UnderWay(Lease sums, Work work, LateRows.Named rows, Tensor values) {
            this.sums = sums;
            this.work = work;
            this.rows = rows;
            this.values = values;
        }
    }

    /**
     * Allocates nothing yet.
     *
     * @param dtype in which gradients travel
     * @param inFlight the sums of other units
     */
    EarlySums(Units units, Stack stack, DType dtype, InFlight inFlight, Reach reach) {
        this.units = units;
        this.backend = stack.backend();
        this.communicator = stack.communicator();
        this.kernels = backend.kernels(backend.computeStream());
        this.inFlight = inFlight;
        this.buffers = new UnitBuffers(units, backend, dtype, "communicationBuckets");
        this.reach = reach;
        this.late = new LateRows[units.count()];
        this.announced = new boolean[units.count()];
        this.underWay = new UnderWay[units.count()];
    }

    /** Is told of the rows to which the unit's own layer will add in this micro-batch, last of all. */
    void announce(int unit, GradientRows rows) {
        int ranks = communicator.worldSize();
        announced[unit] = reach != Reach.NOWHERE
                && ranks > 1
                && inFlight.mayOverlap(units.layout(unit).paddedElements())
                && LateRows.areFew(rows, ranks);
        if (announced[unit]) {
            if (late[unit] == null || !late[unit].fits(rows, ranks)) {
                replace(unit, rows);
            }
            late[unit].announce(rows, communicator, inFlight, unit);
        }
    }

    private void replace(int unit, GradientRows rows) {
        inFlight.awaitAll();
        if (late[unit] != null) {
            late[unit].close();
        }
        late[unit] = new LateRows(backend, units.layout(unit), rows, communicator.worldSize());
    }

    /** {@return whether a unit is to travel when the layers that share it are done} */
    boolean mayBegin(int unit) {
        return announced[unit];
    }

    /** {@return whether a unit travels, or its late rows do} */
    boolean isUnderWay(int unit) {
        return underWay[unit] != null;
    }

    /** {@return memory of the size of what is late of a unit} */
    Tensor memory(int unit, String purpose, DType dtype) {
        return late[unit].memory(purpose, dtype);
    }

    /** {@return what is late of a unit in this micro-batch} */
    LateRows.Named lateRows(int unit) {
        return late[unit].named(inFlight.timer());
    }

    /**
     * Begins to sum a unit.
     *
     * @param gradients of which all but what is late is complete, and nothing undefined; belong to the sum until {@link #restore}, if they
     *     are of the type that travels
     */
    void begin(int unit, Lease gradients) {
        announced[unit] = false;
        while (underWay[unit] != null) {
            inFlight.awaitOldest(); // late rows of the micro-batch before
        }
        LateRows.Named rows = lateRows(unit);
        Tensor values = memory(unit, "travelling", buffers.dtype());
        Lease sums = gradients;
        if (travel(gradients)) {
            rows.take(gradients.views(), values);
        } else {
            sums = buffers.lease(unit);
            kernels.copy(gradients.flat(), sums.flat());
        }
        underWay[unit] = new UnderWay(sums, inFlight.addLarge(start(unit, sums)), rows, values);
    }

    /** Whether it is these gradients that travel, and not a copy of another type. */
    private boolean travel(Lease gradients) {
        return gradients.flat().dtype() == buffers.dtype();
    }

    private Work start(int unit, Lease sums) {
        Call call = inFlight.call("gradients", unit);
        return reach == Reach.EVERYWHERE
                ? communicator.allReduce(sums.flat(), ReduceOp.SUM, call)
                : communicator.reduceScatter(sums.flat(), own(unit, sums), ReduceOp.SUM, call);
    }

    private Tensor own(int unit, Lease sums) {
        UnitLayout.Range shard = units.shard(unit);
        return reach == Reach.EVERYWHERE ? sums.flat() : sums.flat().slice(shard.first(), shard.elements());
    }

    /** Has what is late as it was in gradients that travel, so that the unit's own layer can add to it. */
    void restore(int unit, Lease gradients) {
        UnderWay under = underWay[unit];
        if (under != null && !under.restored && travel(gradients)) {
            await(under);
            under.rows.put(under.values, gradients.views());
            under.restored = true;
        }
    }

    private void await(UnderWay under) {
        if (!under.arrived) {
            under.arrived = true;
            inFlight.awaitLarge(under.work);
        }
    }

    /**
     * Sums what is late, and puts it where it belongs.
     *
     * @param gradients of which it is complete, and restored before; free at once, if they are not of the type that travels
     * @param done gets the unit's sum, or this rank's shard of it
     */
    void finish(int unit, Lease gradients, ShardSink done) {
        UnderWay under = underWay[unit];
        restore(unit, gradients);
        await(under);
        under.rows.take(gradients.views(), under.values);
        boolean copied = !travel(gradients);
        Work work = communicator.allReduce(under.values, ReduceOp.SUM, inFlight.call("late gradients", unit));
        inFlight.add(work, under.values.elements(), () -> {
            under.rows.put(under.values, under.sums.views());
            underWay[unit] = null;
            done.accept(own(unit, under.sums));
            if (copied) {
                buffers.giveBack(under.sums);
            }
        });
    }

    @Override
    public void close() {
        buffers.close();
        for (LateRows rows : late) {
            if (rows != null) {
                rows.close();
            }
        }
    }
}
