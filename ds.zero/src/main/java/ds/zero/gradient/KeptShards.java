package ds.zero.gradient;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.zero.unit.ShardSums.ShardSink;
import ds.zero.unit.Units;
import java.util.ArrayList;
import java.util.List;

/** What a rank keeps of gradients that are summed in every micro-batch: its shards of the sums, added up over a step. */
final class KeptShards implements AutoCloseable {
    private final Kernels kernels;
    private final List<Tensor> shards = new ArrayList<>();
    private boolean first;

    /**
     * Allocates them.
     *
     * @param dtype in which gradients are kept
     */
    KeptShards(Units units, TensorBackend backend, DType dtype) {
        this.kernels = backend.kernels(backend.computeStream());
        for (int unit = 0; unit < units.count(); unit++) {
            Shape shape = Shape.of(units.layout(unit).shardElements());
            shards.add(backend.allocate(dtype, shape, "gradients"));
        }
    }

    /** Begins a micro-batch; with the first one of a step sums start anew. */
    void begin(boolean first) {
        this.first = first;
    }

    /** {@return where this micro-batch's sum of a unit goes} */
    ShardSink sink(int unit) {
        boolean starts = first; // the sum may come in a later micro-batch
        return sum -> kernels.axpby(1, sum, starts ? 0 : 1, shards.get(unit));
    }

    Tensor of(int unit) {
        return shards.get(unit);
    }

    @Override
    public void close() {
        shards.stream().map(Tensor::buffer).forEach(Buffer::close);
    }
}
