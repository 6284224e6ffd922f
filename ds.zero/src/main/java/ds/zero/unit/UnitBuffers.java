package ds.zero.unit;

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
 * Buffers for whole units, lent for a while: gradients before they are summed, weights while a layer needs them. Units of one
 * size share buffers; after the first step there are as many as are ever lent at once, and nothing is allocated any more.
 */
public final class UnitBuffers implements AutoCloseable {
    private final Units units;
    private final TensorBackend backend;
    private final DType dtype;
    private final String label;
    private final Map<Long, List<Buffer>> free = new HashMap<>();
    private final List<Buffer> all = new ArrayList<>();
    private final Map<Buffer, Map<Integer, Lease>> leases = new HashMap<>();

    /**
     * A buffer as one unit sees it.
     *
     * @param flat {@code [paddedElements]}
     * @param views of the unit's parameters
     */
    public record Lease(Tensor flat, Map<Parameter, Tensor> views) {}

    /**
     * Allocates nothing yet.
     *
     * @param label under which the memory is counted
     */
    public UnitBuffers(Units units, TensorBackend backend, DType dtype, String label) {
        this.units = units;
        this.backend = backend;
        this.dtype = dtype;
        this.label = label;
    }

    /** {@return the type of the elements} */
    public DType dtype() {
        return dtype;
    }

    public Lease lease(int unit) {
        UnitLayout layout = units.layout(unit);
        List<Buffer> candidates = free.computeIfAbsent(layout.paddedElements(), elements -> new ArrayList<>());
        Buffer buffer = candidates.isEmpty() ? allocate(layout.paddedElements()) : candidates.removeLast();
        return leases.computeIfAbsent(buffer, b -> new HashMap<>()).computeIfAbsent(unit, u -> {
            Tensor flat = new Tensor(buffer, dtype, Shape.of(layout.paddedElements()));
            return new Lease(flat, Units.views(layout, flat));
        });
    }

    private Buffer allocate(long elements) {
        Buffer buffer = backend.allocate(elements * dtype.byteSize(), label);
        all.add(buffer);
        return buffer;
    }

    public void giveBack(Lease lease) {
        free.get(lease.flat().elements()).add(lease.flat().buffer());
    }

    @Override
    public void close() {
        all.forEach(Buffer::close);
    }
}
