package ds.zero.quantized;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Memory for words under way, lent for a while; after the first step nothing is allocated any more. */
final class WordBuffers implements AutoCloseable {
    private final TensorBackend backend;
    private final String label;
    private final Map<Long, List<Tensor>> free = new HashMap<>();
    private final List<Buffer> all = new ArrayList<>();

    /**
     * Allocates nothing yet.
     *
     * @param label under which the memory is counted
     */
    WordBuffers(TensorBackend backend, String label) {
        this.backend = backend;
        this.label = label;
    }

    /** {@return so many words: I32} */
    Tensor lease(long words) {
        List<Tensor> candidates = free.computeIfAbsent(words, count -> new ArrayList<>());
        if (!candidates.isEmpty()) {
            return candidates.removeLast();
        }
        Tensor tensor = backend.allocate(DType.I32, Shape.of(words), label);
        all.add(tensor.buffer());
        return tensor;
    }

    void giveBack(Tensor words) {
        free.get(words.elements()).add(words);
    }

    @Override
    public void close() {
        all.forEach(Buffer::close);
    }
}
