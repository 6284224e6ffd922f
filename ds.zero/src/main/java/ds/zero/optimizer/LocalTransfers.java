package ds.zero.optimizer;

import ds.api.Kernels;
import ds.api.Tensor;
import java.util.List;

/** Everything is where it is needed; all is in the order of one stream. */
record LocalTransfers(Kernels kernels) implements Transfers {
    @Override
    public boolean areLocal() {
        return true;
    }

    @Override
    public void expect(List<Tensor> gradients) {}

    @Override
    public Tensor take(Tensor gradient) {
        return gradient;
    }

    @Override
    public void publish(Tensor values, Tensor weights) {
        kernels.copy(values, weights);
    }

    @Override
    public void published() {}

    @Override
    public void await() {}

    @Override
    public void close() {}
}
