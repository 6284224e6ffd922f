package ds.zero;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.zero.run.Stack;
import ds.zero.timing.StepTimer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The two numbers that ranks sum in a step, in F64: the squared norm of the gradients, and the loss. */
final class GlobalSums implements AutoCloseable {
    private final TensorBackend backend;
    private final Communicator communicator;
    private final Kernels kernels;
    private final StepTimer timer;
    private final Tensor sums;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment host = arena.allocate(2 * Double.BYTES, 64);

    /**
     * Allocates them.
     *
     * @param stack with all ranks of the job
     * @param timer is told of waits
     */
    GlobalSums(Stack stack, StepTimer timer) {
        this.timer = timer;
        this.backend = stack.backend();
        this.communicator = stack.communicator();
        this.kernels = backend.kernels(backend.computeStream());
        this.sums = backend.allocate(DType.F64, Shape.of(2), "scratch");
    }

    /** Starts anew. */
    void clear() {
        kernels.fill(sums, 0);
    }

    /** Adds the loss of a micro-batch: F32, one element. */
    void addLoss(Tensor loss) {
        kernels.axpby(1, loss, 1, sums.slice(1, 1));
    }

    /** Adds the squares of gradients. */
    void addSquares(Tensor gradients) {
        kernels.sumOfSquares(gradients, sums.slice(0, 1));
    }

    /** Sums over all ranks; waits for it, and for the device. */
    void reduce(String label) {
        Call call = new Call(label, backend.computeStream().record());
        timer.await(communicator.allReduce(sums, ReduceOp.SUM, call), backend.computeStream());
        backend.download(sums, host, backend.computeStream());
        backend.computeStream().synchronize();
    }

    /** {@return the sum of squares, after {@link #reduce}} */
    double squares() {
        return host.getAtIndex(ValueLayout.JAVA_DOUBLE, 0);
    }

    /** {@return the sum of losses, after {@link #reduce}} */
    double losses() {
        return host.getAtIndex(ValueLayout.JAVA_DOUBLE, 1);
    }

    /** {@return the losses added on this rank alone; waits for the device} */
    double localLoss() {
        backend.download(sums, host, backend.computeStream());
        backend.computeStream().synchronize();
        return losses();
    }

    /** {@return the sum over all ranks of one number from each; what was added before is lost} */
    double sumOverRanks(double value) {
        host.setAtIndex(ValueLayout.JAVA_DOUBLE, 0, value);
        host.setAtIndex(ValueLayout.JAVA_DOUBLE, 1, 0);
        backend.upload(host, sums, backend.computeStream());
        reduce("sum over ranks");
        return squares();
    }

    @Override
    public void close() {
        sums.buffer().close();
        arena.close();
    }
}
