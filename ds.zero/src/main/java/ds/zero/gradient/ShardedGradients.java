package ds.zero.gradient;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Parameter;
import ds.zero.unit.UnitBuffers.Lease;
import ds.zero.unit.Units;
import java.util.ArrayList;
import java.util.List;

/**
 * Stages 2 and 3: a rank keeps the gradients of its own shard only (the paper's P_os+g). A unit's gradients in full live in a
 * borrowed buffer from the first addition until they are summed to their owners, in every micro-batch. It sends kΨ(N−1)/N
 * elements for k micro-batches.
 */
final class ShardedGradients implements GradientStage {
    private final Kernels kernels;
    private final GradientWorkspace workspace;
    private final GradientReduction reduction;
    private final List<Tensor> shards = new ArrayList<>();
    private boolean first;

    /**
     * Allocates the shards; owns workspace and reduction.
     *
     * @param dtype in which gradients are kept
     */
    ShardedGradients(
            Units units, TensorBackend backend, DType dtype, GradientWorkspace workspace, GradientReduction reduction) {
        this.kernels = backend.kernels(backend.computeStream());
        this.workspace = workspace;
        this.reduction = reduction;
        for (int unit = 0; unit < units.count(); unit++) {
            Shape shape = Shape.of(units.layout(unit).shardElements());
            shards.add(backend.allocate(dtype, shape, "gradients"));
        }
    }

    @Override
    public void begin(boolean first, boolean last) {
        this.first = first;
    }

    @Override
    public Tensor gradient(Parameter parameter) {
        return workspace.gradient(parameter);
    }

    @Override
    public void unitDone(int unit) {
        Lease sums = workspace.take(unit);
        boolean starts = first;
        boolean freeAtOnce = reduction.converts(DType.F32);
        reduction.sumToOwner(unit, sums.flat(), sum -> {
            kernels.axpby(1, sum, starts ? 0 : 1, shards.get(unit));
            if (!freeAtOnce) {
                workspace.giveBack(sums);
            }
        });
        if (freeAtOnce) {
            workspace.giveBack(sums);
        }
    }

    @Override
    public void finish() {
        reduction.awaitAll();
    }

    @Override
    public Tensor reduced(int unit) {
        return shards.get(unit);
    }

    @Override
    public void close() {
        workspace.close();
        reduction.close();
        shards.stream().map(Tensor::buffer).forEach(Buffer::close);
    }
}
