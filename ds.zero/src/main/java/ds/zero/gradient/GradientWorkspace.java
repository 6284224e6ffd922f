package ds.zero.gradient;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Parameter;
import ds.zero.unit.InFlight;
import ds.zero.unit.UnitBuffers;
import ds.zero.unit.UnitBuffers.Lease;
import ds.zero.unit.Units;

/**
 * Where layers add the gradients of one micro-batch, in F32: a unit has a buffer from the first addition until it is taken,
 * which for a tied parameter spans the layers between.
 */
final class GradientWorkspace implements AutoCloseable {
    private final Units units;
    private final Kernels kernels;
    private final UnitBuffers buffers;
    private final InFlight inFlight;
    private final Lease[] open;

    /**
     * Allocates nothing yet.
     *
     * @param inFlight of which one is awaited before a buffer more is used, when enough are under way
     */
    GradientWorkspace(Units units, TensorBackend backend, InFlight inFlight) {
        this.units = units;
        this.kernels = backend.kernels(backend.computeStream());
        this.buffers = new UnitBuffers(units, backend, DType.F32, "gradientBuckets");
        this.inFlight = inFlight;
        this.open = new Lease[units.count()];
    }

    Tensor gradient(Parameter parameter) {
        return lease(units.unitOf(parameter)).views().get(parameter);
    }

    /** {@return a unit's sums, which the caller gives back; zeros if nothing was added} */
    Lease take(int unit) {
        Lease lease = lease(unit);
        open[unit] = null;
        return lease;
    }

    void giveBack(Lease lease) {
        buffers.giveBack(lease);
    }

    private Lease lease(int unit) {
        if (open[unit] == null) {
            while (!inFlight.hasRoom()) {
                inFlight.awaitOldest();
            }
            open[unit] = buffers.lease(unit);
            kernels.fill(open[unit].flat(), 0);
        }
        return open[unit];
    }

    @Override
    public void close() {
        buffers.close();
    }
}
