package ds.zero;

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

    OwnedPieces(ModelState state) {
        this.state = state;
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
        List<String> states = state.states().stateNames();
        List<String> kinds = new ArrayList<>();
        kinds.add(Piece.MASTER);
        kinds.addAll(states);
        List<Piece> pieces = new ArrayList<>();
        for (int unit = 0; unit < state.units().count(); unit++) {
            for (int kind = UpdatedStates.MASTER; kind < states.size(); kind++) {
                addPieces(unit, kind, ranges.apply(unit), pieces);
            }
        }
        return new RankPieces(state.units().parameters(), kinds, pieces);
    }

    /** Adds the parts of parameters in a range of a unit. */
    private void addPieces(int unit, int kind, Range range, List<Piece> pieces) {
        UnitLayout layout = state.units().layout(unit);
        long before = state.units().owned(unit).first();
        for (Parameter parameter : layout.parameters()) {
            long offset = layout.offset(parameter);
            Range inParameter = new Range(offset, offset + parameter.elements());
            Range part = range.intersect(inParameter);
            if (!part.isEmpty()) {
                Place place = new Place(unit, kind, part.first() - before);
                pieces.add(new UnitPiece(state.states(), place, parameter, part.first() - offset, part.elements()));
            }
        }
    }

    /** Where a piece lies: its unit, its number as of {@link UpdatedStates#read}, and its first element among the owned ones. */
    private record Place(int unit, int kind, long first) {}

    private record UnitPiece(UpdatedStates states, Place place, Parameter parameter, long first, long elements)
            implements Piece {
        @Override
        public String kind() {
            return place.kind() == UpdatedStates.MASTER
                    ? Piece.MASTER
                    : states.stateNames().get(place.kind());
        }

        @Override
        public void download(long offset, MemorySegment target) {
            states.read(place.kind(), place.unit(), place.first() + offset, target);
        }

        @Override
        public void upload(long offset, MemorySegment source) {
            states.write(place.kind(), place.unit(), place.first() + offset, source);
        }
    }
}
