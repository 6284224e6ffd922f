package ds.bench;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Batch;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/** Micro-batches of random tokens: what a step costs does not depend on the text. */
final class RandomTokens {
    private RandomTokens() {}

    /**
     * {@return a batch of this rank, the same at every call}
     *
     * @param backend on which its memory is allocated
     * @param sequences B
     * @param time T
     * @param vocabulary of which tokens are drawn evenly
     */
    static Batch batch(TensorBackend backend, int rank, int sequences, int time, long vocabulary) {
        Shape dims = Shape.of(sequences, time);
        Tensor inputs = backend.allocate(DType.I32, dims, "batch");
        Tensor targets = backend.allocate(DType.I32, dims, "batch");
        SplittableRandom random = new SplittableRandom(rank);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(inputs.byteSize(), 64);
            for (Tensor tensor : new Tensor[] {inputs, targets}) {
                for (long i = 0; i < dims.elements(); i++) {
                    host.setAtIndex(ValueLayout.JAVA_INT, i, (int) random.nextLong(vocabulary));
                }
                backend.upload(host, tensor, backend.computeStream());
                backend.computeStream().synchronize();
            }
        }
        return Batch.of(inputs, targets, (long) rank * sequences);
    }
}
