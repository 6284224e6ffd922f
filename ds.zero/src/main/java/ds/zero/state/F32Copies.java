package ds.zero.state;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.zero.optimizer.OwnedUnit;
import ds.zero.optimizer.StoredElements;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/** Between numbers as they are kept and F32 in host memory; what is kept otherwise passes through a small F32 tensor. */
final class F32Copies implements AutoCloseable {
    private static final long MOST_ELEMENTS = 1 << 18; // 1 MiB

    private final TensorBackend backend;
    private final Kernels kernels;
    private final Optional<Tensor> scratch;

    /** Allocates the small tensor if any of the numbers is not F32. */
    F32Copies(TensorBackend backend, List<OwnedUnit.Owned> units) {
        this.backend = backend;
        this.kernels = backend.kernels(backend.computeStream());
        boolean needed = units.stream()
                .anyMatch(unit ->
                        !unit.weights().isF32() || unit.states().stream().anyMatch(state -> !state.isF32()));
        this.scratch = needed
                ? Optional.of(backend.allocate(DType.F32, Shape.of(MOST_ELEMENTS), "scratch"))
                : Optional.empty();
    }

    /** Reads as many numbers as the target has room for. */
    void read(StoredElements numbers, long first, MemorySegment target) {
        long count = target.byteSize() / Float.BYTES;
        if (numbers instanceof StoredElements.F32(Tensor all)) {
            backend.download(all.slice(first, count), target, backend.computeStream());
            backend.computeStream().synchronize();
            return;
        }
        for (long at = 0; at < count; at += MOST_ELEMENTS) {
            long n = Math.min(MOST_ELEMENTS, count - at);
            Tensor values = numbers.slice(first + at, n)
                    .load(kernels, scratch.orElseThrow().slice(0, n));
            backend.download(values, target.asSlice(at * Float.BYTES, n * Float.BYTES), backend.computeStream());
            backend.computeStream().synchronize();
        }
    }

    /** Replaces as many numbers as the source has. */
    void write(MemorySegment source, StoredElements numbers, long first) {
        long count = source.byteSize() / Float.BYTES;
        if (numbers instanceof StoredElements.F32(Tensor all)) {
            backend.upload(source, all.slice(first, count), backend.computeStream());
            backend.computeStream().synchronize();
            return;
        }
        for (long at = 0; at < count; at += MOST_ELEMENTS) {
            long n = Math.min(MOST_ELEMENTS, count - at);
            Tensor values = scratch.orElseThrow().slice(0, n);
            backend.upload(source.asSlice(at * Float.BYTES, n * Float.BYTES), values, backend.computeStream());
            numbers.slice(first + at, n).set(kernels, values);
            backend.computeStream().synchronize();
        }
    }

    @Override
    public void close() {
        scratch.ifPresent(tensor -> tensor.buffer().close());
    }
}
