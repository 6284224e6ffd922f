package ds.zero.gradient;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.GradientSum;
import ds.api.layer.Parameter;
import ds.zero.unit.ShardSums;
import ds.zero.unit.UnitBuffers.Lease;
import ds.zero.unit.Units;

/**
 * Stages 2 and 3 with gradients that travel as codes ({@code zero_quantized_gradients}): as {@link ShardedGradients}, but what is
 * quantized is the F32 of a micro-batch, and the buffer in which it was summed is free at once.
 */
final class QuantizedGradients implements GradientStage {
    private final GradientWorkspace workspace;
    private final ShardSums sums;
    private final KeptShards shards;

    /**
     * Allocates the shards; owns workspace and sums.
     *
     * @param dtype in which gradients are kept
     */
    QuantizedGradients(Units units, TensorBackend backend, DType dtype, GradientWorkspace workspace, ShardSums sums) {
        this.workspace = workspace;
        this.sums = sums;
        this.shards = new KeptShards(units, backend, dtype);
    }

    @Override
    public void begin(boolean first, boolean last) {
        shards.begin(first);
    }

    @Override
    public Tensor gradient(Parameter parameter) {
        return workspace.gradient(parameter);
    }

    @Override
    public GradientSum gradientSum(Parameter parameter) {
        return workspace.sum(parameter);
    }

    @Override
    public GradientSum wholeGradient(Parameter parameter) {
        return workspace.sum(parameter);
    }

    @Override
    public void unitDone(int unit) {
        Lease gradients = workspace.take(unit);
        sums.sumToOwner(unit, gradients.flat(), shards.sink(unit));
        workspace.giveBack(gradients);
    }

    @Override
    public void finish() {
        sums.awaitAll();
    }

    @Override
    public Tensor reduced(int unit) {
        return shards.of(unit);
    }

    @Override
    public void close() {
        workspace.close();
        sums.close();
        shards.close();
    }
}
