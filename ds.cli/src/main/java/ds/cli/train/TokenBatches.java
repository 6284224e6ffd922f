package ds.cli.train;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Event;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Batch;
import ds.data.TrainingBatches;
import java.lang.foreign.MemorySegment;

/** Memory for micro-batches of token ids, on the host and on the device; filled again and again. */
final class TokenBatches implements AutoCloseable {
    private final TensorBackend backend;
    private final Buffer host;
    private final Tensor inputs;
    private final Tensor targets;
    private Event uploaded = Event.DONE;

    TokenBatches(TensorBackend backend, int sequences, int time) {
        this.backend = backend;
        Shape shape = Shape.of(sequences, time);
        this.inputs = backend.allocate(DType.I32, shape, "batch");
        this.targets = backend.allocate(DType.I32, shape, "batch");
        this.host = backend.allocateHost(inputs.byteSize() + targets.byteSize(), "batch");
    }

    /** {@return host memory for inputs, I32 {@code [B, T]}} */
    MemorySegment hostInputs() {
        return host.host().asSlice(0, inputs.byteSize());
    }

    /** {@return host memory for targets, I32 {@code [B, T]}} */
    MemorySegment hostTargets() {
        return host.host().asSlice(inputs.byteSize(), targets.byteSize());
    }

    /**
     * {@return one micro-batch of training}
     *
     * @param step from 0
     * @param micro which one of the step's
     */
    Batch training(TrainingBatches batches, long step, int micro) {
        uploaded.synchronize(); // the copy from host memory may still be under way; what follows it need not be done
        int first = Math.toIntExact(micro * inputs.shape().rows());
        batches.fill(step, first, hostInputs(), hostTargets());
        upload();
        return Batch.of(inputs, targets, (long) batches.plan().firstSequence() + first);
    }

    /** {@return consecutive tokens of what host memory holds} */
    Batch part(long firstToken, long sequences, long time) {
        return Batch.of(inputs.slice(firstToken, sequences, time), targets.slice(firstToken, sequences, time), 0);
    }

    void upload() {
        backend.upload(hostInputs(), inputs, backend.computeStream());
        backend.upload(hostTargets(), targets, backend.computeStream());
        uploaded = backend.computeStream().record();
    }

    @Override
    public void close() {
        inputs.buffer().close();
        targets.buffer().close();
        host.close();
    }
}
