package ds.zero;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.layer.Parameter;
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
     * @param owned F32 elements that this rank owns of a unit: all of them, or its shard
     */
    ShardReader(Units units, TensorBackend backend, Communicator communicator, String what, IntFunction<Tensor> owned) {
        this.units = units;
        this.backend = backend;
        this.communicator = communicator;
        this.what = what;
        this.owned = owned;
    }

    /** Reads one parameter; where units are sharded, all ranks call it in the same order. */
    void read(Parameter parameter, MemorySegment target) {
        int unit = units.unitOf(parameter);
        Tensor whole = whole(unit);
        long offset = units.layout(unit).offset(parameter);
        backend.download(whole.slice(offset, parameter.elements()), target, backend.computeStream());
        backend.computeStream().synchronize();
    }

    private Tensor whole(int unit) {
        Tensor own = owned.apply(unit);
        long elements = units.layout(unit).paddedElements();
        if (own.elements() == elements) {
            return own;
        }
        if (unit != gatheredUnit) {
            forget();
            gathered = Optional.of(backend.allocate(elements * Float.BYTES, "temporary"));
            Tensor all = new Tensor(gathered.get(), DType.F32, Shape.of(elements));
            String label = what + " of " + units.layout(unit).name();
            communicator
                    .allGather(own, all, new Call(label, backend.computeStream().record()))
                    .await(backend.computeStream());
            gatheredUnit = unit;
        }
        return new Tensor(gathered.orElseThrow(), DType.F32, Shape.of(elements));
    }

    /** Frees what was gathered. */
    void forget() {
        gathered.ifPresent(Buffer::close);
        gathered = Optional.empty();
        gatheredUnit = -1;
    }
}
