package ds.zero;

import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Parameter;
import ds.zero.UnitLayout.Range;
import ds.zero.checkpoint.Piece;
import ds.zero.checkpoint.RankPieces;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/** What this rank keeps, as pieces of parameters: from elements of units to what a checkpoint knows. */
final class OwnedPieces {
    private final ModelState state;
    private final TensorBackend backend;

    OwnedPieces(ModelState state, Stack stack) {
        this.state = state;
        this.backend = stack.backend();
    }

    /** {@return this rank's shards: at stage 0 too, where every rank has everything, each saves its part} */
    RankPieces toSave() {
        return pieces(unit -> state.units().shard(unit));
    }

    /** {@return all that this rank updates} */
    RankPieces toLoad() {
        return pieces(unit -> state.units().owned(unit));
    }

    /** Has the model compute with what was loaded; all ranks call it. */
    void loaded() {
        state.mastersReplaced();
    }

    private RankPieces pieces(IntFunction<Range> ranges) {
        OwnedStates states = state.states();
        List<String> kinds = new ArrayList<>();
        kinds.add(Piece.MASTER);
        kinds.addAll(states.stateNames());
        List<Piece> pieces = new ArrayList<>();
        for (int unit = 0; unit < state.units().count(); unit++) {
            addPieces(unit, ranges.apply(unit), Piece.MASTER, states.master(unit), pieces);
            for (int i = 0; i < states.stateNames().size(); i++) {
                addPieces(unit, ranges.apply(unit), states.stateNames().get(i), states.state(unit, i), pieces);
            }
        }
        return new RankPieces(state.units().parameters(), kinds, pieces);
    }

    /** Adds the parts of parameters in a range of a unit; {@code owned} has the elements that this rank owns. */
    private void addPieces(int unit, Range range, String kind, Tensor owned, List<Piece> pieces) {
        UnitLayout layout = state.units().layout(unit);
        long before = state.units().owned(unit).first();
        for (Parameter parameter : layout.parameters()) {
            long offset = layout.offset(parameter);
            Range part = range.intersect(new Range(offset, offset + parameter.elements()));
            if (!part.isEmpty()) {
                Tensor elements = owned.slice(part.first() - before, part.elements());
                pieces.add(new TensorPiece(kind, parameter, part.first() - offset, elements, backend));
            }
        }
    }

    /** F32 elements on the device. */
    private record TensorPiece(String kind, Parameter parameter, long first, Tensor tensor, TensorBackend backend)
            implements Piece {
        @Override
        public long elements() {
            return tensor.elements();
        }

        @Override
        public void download(long offset, MemorySegment target) {
            backend.download(part(offset, target), target, backend.computeStream());
            backend.computeStream().synchronize();
        }

        @Override
        public void upload(long offset, MemorySegment source) {
            backend.upload(source, part(offset, source), backend.computeStream());
            backend.computeStream().synchronize();
        }

        private Tensor part(long offset, MemorySegment host) {
            return tensor.slice(offset, host.byteSize() / Float.BYTES);
        }
    }
}
