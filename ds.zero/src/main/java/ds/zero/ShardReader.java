package ds.zero;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.layer.Parameter;
import ds.zero.run.Stack;
import ds.zero.unit.Units;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.function.IntFunction;

/**
 * Whole parameters out of what the ranks own, as F32 in host memory. The unit gathered last is kept, since its parameters are
 * usually read one after the other; {@link #forget} frees it, and is called before what was gathered changes.
 */
final class ShardReader {
    private final Units units;
    private final TensorBackend backend;
    private final Communicator communicator;
    private final String what;
    private final IntFunction<Tensor> owned;

    private int gatheredUnit = -1;
    private Optional<Buffer> gathered = Optional.empty();

    /**
     * Reads nothing yet.
     *
     * @param what is read, for messages
     * @param owned elements that this rank owns of a unit: all of them, or its shard
     */
    ShardReader(Units units, Stack stack, String what, IntFunction<Tensor> owned) {
        this.units = units;
        this.backend = stack.backend();
        this.communicator = stack.communicator();
        this.what = what;
        this.owned = owned;
    }

    /** Reads one parameter; where units are sharded, all ranks call it in the same order. */
    void read(Parameter parameter, MemorySegment target) {
        int unit = units.unitOf(parameter);
        Tensor values = whole(unit).slice(units.layout(unit).offset(parameter), parameter.elements());
        if (values.dtype() == DType.F32) {
            backend.download(values, target, backend.computeStream());
            backend.computeStream().synchronize();
            return;
        }
        try (Buffer buffer = backend.allocate(parameter.elements() * Float.BYTES, "temporary")) {
            Tensor converted = new Tensor(buffer, DType.F32, values.shape());
            backend.kernels(backend.computeStream()).copy(values, converted);
            backend.download(converted, target, backend.computeStream());
            backend.computeStream().synchronize();
        }
    }

    /** Copies one parameter to a tensor on the same device; where units are sharded, all ranks call it in the same order. */
    void copy(Parameter parameter, Tensor target) {
        int unit = units.unitOf(parameter);
        Tensor values = whole(unit).slice(units.layout(unit).offset(parameter), parameter.elements());
        backend.kernels(backend.computeStream()).copy(values, target);
    }

    private Tensor whole(int unit) {
        Tensor own = owned.apply(unit);
        long elements = units.layout(unit).paddedElements();
        if (own.elements() == elements) {
            return own;
        }
        if (unit != gatheredUnit) {
            forget();
            gathered = Optional.of(backend.allocate(elements * own.dtype().byteSize(), "temporary"));
            Tensor all = new Tensor(gathered.get(), own.dtype(), Shape.of(elements));
            String label = what + " of " + units.layout(unit).name();
            communicator
                    .allGather(own, all, new Call(label, backend.computeStream().record()))
                    .await(backend.computeStream());
            gatheredUnit = unit;
        }
        return new Tensor(gathered.orElseThrow(), own.dtype(), Shape.of(elements));
    }

    /** Frees what was gathered. */
    void forget() {
        gathered.ifPresent(Buffer::close);
        gathered = Optional.empty();
        gatheredUnit = -1;
    }
}
