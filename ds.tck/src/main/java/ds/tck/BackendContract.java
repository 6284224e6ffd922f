package ds.tck;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.Stream;

/** What the parts of {@link TensorBackendContract} share: the backend under test. */
public interface BackendContract {
    /** {@return the backend under test, open as long as the suite runs} */
    TensorBackend backend();

    /** {@return another one of the same kind, handed over} */
    TensorBackend openAnother();

    /** {@return the floating types to test: those that the backend supports} */
    default List<DType> floats() {
        return Stream.of(DType.F32, DType.BF16, DType.F16)
                .filter(backend()::supports)
                .toList();
    }

    /** {@return the elements of a tensor of the backend under test} */
    default double[] read(Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(tensor.byteSize(), 64);
            backend().download(tensor, host, backend().computeStream());
            backend().computeStream().synchronize();
            Elements elements = new Elements(host, tensor.dtype(), tensor.elements());
            double[] values = new double[Math.toIntExact(elements.count())];
            java.util.Arrays.setAll(values, elements::get);
            return values;
        }
    }
}
