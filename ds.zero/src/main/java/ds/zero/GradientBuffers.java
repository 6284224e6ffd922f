package ds.zero;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Parameter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Buffers for a unit's gradients in full, lent for a while. Units of one size share buffers; after the first step there are
 * as many as are ever lent at once, and nothing is allocated any more.
 */
final class GradientBuffers implements AutoCloseable {
    private final Units units;
    private final TensorBackend backend;
    private final Map<Long, List<Buffer>> free = new HashMap<>();
    private final List<Buffer> all = new ArrayList<>();
    private final Map<Buffer, Map<Integer, Lease>> leases = new HashMap<>();

    /**
     * A buffer as one unit sees it.
     *
     * @param flat F32 {@code [paddedElements]}
     * @param views of the unit's parameters
     */
    record Lease(Tensor flat, Map<Parameter, Tensor> views) {}

    GradientBuffers(Units units, TensorBackend backend) {
        this.units = units;
        this.backend = backend;
    }

    Lease lease(int unit) {
        UnitLayout layout = units.layout(unit);
        List<Buffer> candidates = free.computeIfAbsent(layout.paddedElements(), elements -> new ArrayList<>());
        Buffer buffer = candidates.isEmpty() ? allocate(layout.paddedElements()) : candidates.removeLast();
        return leases.computeIfAbsent(buffer, b -> new HashMap<>()).computeIfAbsent(unit, u -> {
            Tensor flat = new Tensor(buffer, DType.F32, Shape.of(layout.paddedElements()));
            return new Lease(flat, Units.views(layout, flat));
        });
    }

    private Buffer allocate(long elements) {
        Buffer buffer = backend.allocate(elements * Float.BYTES, "gradientBuckets");
        all.add(buffer);
        return buffer;
    }

    void giveBack(Lease lease) {
        free.get(lease.flat().elements()).add(lease.flat().buffer());
    }

    @Override
    public void close() {
        all.forEach(Buffer::close);
    }
}
