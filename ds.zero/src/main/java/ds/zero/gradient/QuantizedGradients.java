package ds.zero.gradient;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.GradientSum;
import ds.api.layer.Parameter;
import ds.zero.unit.ShardSums;
import ds.zero.unit.UnitBuffers.Lease;
import ds.zero.unit.Units;
import java.util.ArrayList;
import java.util.List;

/**
 * Stages 2 and 3 with gradients that travel as codes ({@code zero_quantized_gradients}): as {@link ShardedGradients}, but what is
 * quantized is the F32 of a micro-batch, and the buffer in which it was summed is free at once.
 */
final class QuantizedGradients implements GradientStage {
    private final Kernels kernels;
    private final GradientWorkspace workspace;
    private final ShardSums sums;
    private final List<Tensor> shards = new ArrayList<>();
    private boolean first;

    /**
     * Allocates the shards; owns workspace and sums.
     *
     * @param dtype in which gradients are kept
     */
    QuantizedGradients(Units units, TensorBackend backend, DType dtype, GradientWorkspace workspace, ShardSums sums) {
        this.kernels = backend.kernels(backend.computeStream());
        this.workspace = workspace;
        this.sums = sums;
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
        boolean starts = first;
        sums.sumToOwner(unit, gradients.flat(), sum -> kernels.axpby(1, sum, starts ? 0 : 1, shards.get(unit)));
        workspace.giveBack(gradients);
    }

    @Override
    public void finish() {
        sums.awaitAll();
    }

    @Override
    public Tensor reduced(int unit) {
        return shards.get(unit);
    }

    @Override
    public void close() {
        workspace.close();
        sums.close();
        shards.stream().map(Tensor::buffer).forEach(Buffer::close);
    }
}
