package ds.zero.gradient;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.GradientSum;
import ds.api.layer.Parameter;
import ds.zero.unit.InFlight;
import ds.zero.unit.UnitBuffers;
import ds.zero.unit.UnitBuffers.Lease;
import ds.zero.unit.Units;
import java.util.ArrayList;
import java.util.List;

/**
 * Where layers add the gradients of one micro-batch, in F32: a unit has a buffer from the first addition until it is taken,
 * which for a tied parameter spans the layers between.
 */
final class GradientWorkspace implements AutoCloseable {
    private final Units units;
    private final UnitBuffers buffers;
    private final InFlight inFlight;
    private final List<UnitSums> sums = new ArrayList<>();
    private final Lease[] open;

    /**
     * Allocates nothing yet.
     *
     * @param inFlight of which one is awaited before a buffer more is used, when enough are under way
     */
    GradientWorkspace(Units units, TensorBackend backend, InFlight inFlight) {
        this.units = units;
        this.buffers = new UnitBuffers(units, backend, DType.F32, "gradientBuckets");
        this.inFlight = inFlight;
        this.open = new Lease[units.count()];
        for (int unit = 0; unit < units.count(); unit++) {
            sums.add(new UnitSums(backend.kernels(backend.computeStream()), units.layout(unit)));
        }
    }

    /** {@return where to add: zeros if nothing was added} */
    Tensor gradient(Parameter parameter) {
        int unit = units.unitOf(parameter);
        return sums.get(unit).addToAll(parameter, lease(unit).views().get(parameter));
    }

    /** {@return where to write or add} */
    GradientSum sum(Parameter parameter) {
        int unit = units.unitOf(parameter);
        return sums.get(unit).add(parameter, lease(unit).views().get(parameter));
    }

    /**
     * {@return where to write, or add to what there is, all that this micro-batch contributes}
     *
     * @param kept where it is to be after {@link #collect}, of any type
     */
    GradientSum whole(Parameter parameter, Tensor kept) {
        UnitSums ofUnit = sums.get(units.unitOf(parameter));
        return ofUnit.hasAny(parameter) ? sum(parameter) : ofUnit.whole(parameter, kept);
    }

    /**
     * Ends a unit's micro-batch.
     *
     * @param kept {@code [paddedElements]}, where whole gradients have been written; gets all others
     * @param beta whether the others are added (1) or replace what is there (0)
     */
    void collect(int unit, Tensor kept, float beta) {
        Lease lease = open[unit];
        sums.get(unit).complete(lease == null ? kept : lease.flat(), kept, beta);
        sums.get(unit).clear();
        if (lease != null) {
            open[unit] = null;
            giveBack(lease);
        }
    }

    /** {@return the sums of a unit as they are so far, which are still added to; zeros where nothing was added yet} */
    Lease soFar(int unit) {
        Lease lease = lease(unit);
        sums.get(unit).complete(lease.flat());
        return lease;
    }

    /** {@return the sums of a unit whose micro-batch ends, which the caller gives back; zeros where nothing was added} */
    Lease take(int unit) {
        Lease lease = lease(unit);
        sums.get(unit).complete(lease.flat());
        sums.get(unit).clear();
        open[unit] = null;
        return lease;
    }

    void giveBack(Lease lease) {
        buffers.giveBack(lease);
    }

    /** Waits until a buffer more is none too many. */
    void awaitRoom() {
        while (!inFlight.hasRoom()) {
            inFlight.awaitOldest();
        }
    }

    /** {@return the sums of a unit as they are, undefined where nothing was added yet} */
    Lease lease(int unit) {
        if (open[unit] == null) {
            awaitRoom();
            open[unit] = buffers.lease(unit);
        }
        return open[unit];
    }

    @Override
    public void close() {
        buffers.close();
    }
}
