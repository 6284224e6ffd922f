package ds.zero;

import ds.api.comm.Communicator;
import ds.api.layer.Parameter;
import ds.zero.checkpoint.Checkpoint;
import ds.zero.checkpoint.Piece;
import ds.zero.checkpoint.RankPieces;
import ds.zero.state.UpdatedStates;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.UnitLayout.Range;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;

/** What this rank keeps, as pieces of parameters: from elements of units to what a checkpoint knows. */
final class OwnedPieces {
    private final ModelState state;
    private final ExtraPieces extra;

    /**
     * Pieces of a rank.
     *
     * @param ranks that share the units; borrowed
     */
    OwnedPieces(ModelState state, Communicator ranks) {
        this.state = state;
        this.extra = new ExtraPieces(state, ranks);
    }

    /**
     * {@return this rank's shards: at stage 0 too, where every rank has everything, each saves its part} What all ranks of a tensor
     * axis have, the first one saves.
     *
     * @param updates done: some of what an optimizer keeps is 0 before it is used
     */
    RankPieces toSave(long updates) {
        return pieces(
                unit -> state.units().shard(unit),
                state.countsReplicated(),
                extra.kinds(updates),
                extra.toSave(updates));
    }

    /** {@return all that this rank updates, and its own of what a checkpoint has beside} */
    RankPieces toLoad(Checkpoint checkpoint) {
        RankPieces all =
                pieces(unit -> state.units().owned(unit), true, extra.kindsIn(checkpoint), extra.toLoad(checkpoint));
        List<String> replaced = extra.replacedIn(checkpoint);
        List<? extends Piece> pieces = all.pieces().stream()
                .filter(piece -> !replaced.contains(piece.kind()))
                .toList();
        return new RankPieces(all.parameters(), all.kinds(), pieces);
    }

    /** Has somebody told before the pieces change, each time. */
    void watch(Runnable watcher) {
        state.watch(watcher);
    }

    /** Ends {@link #watch}. */
    void unwatch(Runnable watcher) {
        state.unwatch(watcher);
    }

    /** Tells those who watch, before something is loaded; forgets what no checkpoint may have. */
    void aboutToLoad() {
        state.aboutToChange();
        extra.clear();
    }

    /** Has the model compute with what was loaded; all ranks call it. */
    void loaded() {
        state.mastersReplaced();
    }

    private RankPieces pieces(
            IntFunction<Range> ranges, boolean replicatedToo, List<String> extraKinds, List<Piece> extraPieces) {
        UpdatedStates states = state.states();
        List<String> kinds = new ArrayList<>();
        kinds.add(Piece.MASTER);
        kinds.addAll(states.stateNames());
        List<Piece> pieces = new ArrayList<>();
        for (int unit = 0; unit < state.units().count(); unit++) {
            Range range = ranges.apply(unit);
            addPieces(unit, range, new Kind(states, Piece.MASTER, UpdatedStates.MASTER), pieces);
            for (int i = 0; i < states.stateNames().size(); i++) {
                addPieces(unit, range, new Kind(states, states.stateNames().get(i), i), pieces);
            }
        }
        pieces.removeIf(piece -> !replicatedToo && piece.parameter().slice().isAll());
        kinds.addAll(extraKinds);
        pieces.addAll(extraPieces);
        return new RankPieces(state.units().parameters(), kinds, pieces);
    }

    /** One kind of numbers: masters, or one of the optimizer's states. */
    private record Kind(UpdatedStates states, String name, int number) {}

    /** Adds the parts of parameters in a range of a unit. */
    private void addPieces(int unit, Range range, Kind kind, List<Piece> pieces) {
        UnitLayout layout = state.units().layout(unit);
        long before = state.units().owned(unit).first();
        for (Parameter parameter : layout.parameters()) {
            long offset = layout.offset(parameter);
            Range part = range.intersect(new Range(offset, offset + parameter.elements()));
            if (!part.isEmpty()) {
                Place place = new Place(unit, part.first() - before, part.elements());
                pieces.add(new OwnedPiece(kind, parameter, part.first() - offset, place));
            }
        }
    }

    /** Elements that this rank owns in a unit, counted from the first of them. */
    private record Place(int unit, long first, long elements) {}

    /** Elements wherever they are kept: in memory, or in a file. */
    private record OwnedPiece(Kind of, Parameter parameter, long first, Place place) implements Piece {
        @Override
        public String kind() {
            return of.name();
        }

        @Override
        public long elements() {
            return place.elements();
        }

        @Override
        public void download(long offset, MemorySegment target) {
            of.states().read(of.number(), place.unit(), place.first() + offset, target);
        }

        @Override
        public Optional<MemorySegment> resident() {
            return of.states().resident(of.number(), place.unit(), place.first(), place.elements());
        }

        @Override
        public void upload(long offset, MemorySegment source) {
            of.states().write(of.number(), place.unit(), place.first() + offset, source);
        }
    }
}
