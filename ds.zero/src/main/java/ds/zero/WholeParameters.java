package ds.zero;

import ds.api.Buffer;
import ds.api.CoreKernels.Rows;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.layer.Parameter;
import ds.api.layer.Slice;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** Whole parameters of a model whose layers are split over ranks, read from what each rank holds of them, as F32 in host memory. */
final class WholeParameters {
    private final ShardReader reader;
    private final TensorBackend backend;
    private final Optional<Communicator> tensor;

    /**
     * Reads nothing yet.
     *
     * @param reader of what this rank holds
     * @param backend in whose memory parts are put together
     * @param tensor the ranks that share the model
     */
    WholeParameters(ShardReader reader, TensorBackend backend, Optional<Communicator> tensor) {
        this.reader = reader;
        this.backend = backend;
        this.tensor = tensor;
    }

    /** Reads one parameter; all ranks call it in the same order. */
    void read(Parameter parameter, MemorySegment target) {
        Slice slice = parameter.slice();
        if (slice.isAll()) {
            reader.read(parameter, target);
            return;
        }
        long most = slice.mostElements();
        try (Buffer parts = backend.allocate(slice.parts() * most * Float.BYTES, "temporary");
                Buffer joined = backend.allocate(slice.whole().elements() * Float.BYTES, "temporary")) {
            Tensor all = new Tensor(parts, DType.F32, Shape.of(slice.parts(), most));
            Tensor own = all.rows(slice.part(), 1);
            Tensor whole = new Tensor(joined, DType.F32, slice.whole());
            reader.copy(parameter, own.slice(0, slice.elements()));
            Call call = new Call(
                    "parts of " + parameter.name(), backend.computeStream().record());
            tensor.orElseThrow().allGather(own, all, call).await(backend.computeStream());
            for (int part = 0; part < slice.parts(); part++) {
                place(all.rows(part, 1), slice.of(part), whole);
            }
            backend.download(whole, target, backend.computeStream());
            backend.computeStream().synchronize();
        }
    }

    private void place(Tensor held, Slice slice, Tensor whole) {
        Kernels kernels = backend.kernels(backend.computeStream());
        kernels.copyRows(
                new Rows(held, 0, slice.width()),
                new Rows(whole, slice.first(), slice.period()),
                slice.whole().elements() / slice.period(),
                slice.width());
    }
}
