package ds.cli.check;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Batch;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Device memory for one micro-batch of tokens. */
final class Tokens implements AutoCloseable {
    private final TensorBackend backend;
    private final Tensor inputs;
    private final Tensor targets;

    Tokens(TensorBackend backend, int sequences, int time) {
        this.backend = backend;
        this.inputs = backend.allocate(DType.I32, Shape.of(sequences, time), "batch");
        this.targets = backend.allocate(DType.I32, Shape.of(sequences, time), "batch");
    }

    /** {@return consecutive sequences of {@code [sequences, T + 1]}: all tokens but the last are inputs, all but the first targets} */
    Batch load(int[][] tokens, int first) {
        long time = inputs.shape().columns();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment in = arena.allocate(inputs.byteSize(), 4);
            MemorySegment out = arena.allocate(targets.byteSize(), 4);
            for (int s = 0; s < inputs.shape().rows(); s++) {
                MemorySegment.copy(
                        tokens[first + s], 0, in, ValueLayout.JAVA_INT, s * time * Integer.BYTES, (int) time);
                MemorySegment.copy(
                        tokens[first + s], 1, out, ValueLayout.JAVA_INT, s * time * Integer.BYTES, (int) time);
            }
            backend.upload(in, inputs, backend.computeStream());
            backend.upload(out, targets, backend.computeStream());
            backend.computeStream().synchronize();
        }
        return Batch.of(inputs, targets, first);
    }

    @Override
    public void close() {
        inputs.buffer().close();
        targets.buffer().close();
    }

    /** A tensor of any floating type, on its way to F32 in host memory. */
    static final class Staging implements AutoCloseable {
        private final TensorBackend backend;
        private final Buffer buffer;
        private final Shape shape;

        Staging(TensorBackend backend, Shape shape) {
            this.backend = backend;
            this.shape = shape;
            this.buffer = backend.allocate(shape.elements() * Float.BYTES, "temporary");
        }

        void download(Tensor source, MemorySegment target) {
            Tensor values = new Tensor(buffer, DType.F32, shape);
            backend.kernels(backend.computeStream()).copy(source, values);
            backend.download(values, target, backend.computeStream());
            backend.computeStream().synchronize();
        }

        @Override
        public void close() {
            buffer.close();
        }
    }
}
