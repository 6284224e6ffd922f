package ds.zero;

import ds.api.Device;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.layer.Parameter;
import ds.zero.checkpoint.Checkpoint;
import ds.zero.checkpoint.Piece;
import ds.zero.checkpoint.TrainingState;
import ds.zero.optimizer.ExtraState;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.UnitLayout.Range;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What an optimizer keeps beside its states, as pieces of parameters. What every rank has its own of is saved as a kind for each rank,
 * {@code worker_error.0} and so on; the same number of ranks gets back the same numbers, any other the mean of them on each rank, so that
 * the mean over the ranks is what it was.
 */
final class ExtraPieces {
    private static final System.Logger LOG = System.getLogger(ExtraPieces.class.getName());

    private final ModelState state;
    private final Communicator ranks;

    /**
     * Pieces of a rank.
     *
     * @param ranks that share the units; borrowed
     */
    ExtraPieces(ModelState state, Communicator ranks) {
        this.state = state;
        this.ranks = ranks;
    }

    private List<ExtraState> all() {
        return state.states().phases().extraStates();
    }

    private static String kind(ExtraState extra, int rank) {
        return extra.name() + "." + rank;
    }

    /** {@return the kinds that all ranks together save after so many updates} */
    List<String> kinds(long updates) {
        List<String> kinds = new ArrayList<>();
        for (ExtraState extra : all()) {
            if (!extra.inUse().test(updates)) {
                continue;
            }
            if (extra.ofRank()) {
                for (int rank = 0; rank < ranks.worldSize(); rank++) {
                    kinds.add(kind(extra, rank));
                }
            } else {
                kinds.add(extra.name());
            }
        }
        return kinds;
    }

    /** {@return what this rank saves after so many updates} */
    List<Piece> toSave(long updates) {
        List<Piece> pieces = new ArrayList<>();
        for (ExtraState extra : all()) {
            if (extra.inUse().test(updates)) {
                add(extra, extra.ofRank() ? kind(extra, ranks.rank()) : extra.name(), 1, pieces);
            }
        }
        return pieces;
    }

    /** {@return the kinds of a checkpoint that are such states of this optimizer, whether in use or not} */
    List<String> kindsIn(Checkpoint checkpoint) {
        return checkpoint.kinds().stream()
                .filter(kind -> all().stream()
                        .anyMatch(extra ->
                                extra.ofRank() ? kind.startsWith(extra.name() + ".") : kind.equals(extra.name())))
                .toList();
    }

    /** {@return what this rank loads; {@link #clear} comes before, since numbers of several ranks are added up} */
    List<Piece> toLoad(Checkpoint checkpoint) {
        TrainingState training = checkpoint.training();
        List<Piece> pieces = new ArrayList<>();
        for (ExtraState extra : all()) {
            if (!extra.inUse().test(training.updates())) {
                continue;
            }
            if (!extra.ofRank()) {
                add(extra, extra.name(), 1, pieces);
                continue;
            }
            int saved = ranksSaved(extra, checkpoint);
            if (saved == ranks.worldSize()) {
                add(extra, kind(extra, ranks.rank()), 1, pieces);
                continue;
            }
            for (int rank = 0; rank < saved; rank++) {
                add(extra, kind(extra, rank), 1.0 / saved, pieces);
            }
            if (ranks.rank() == 0) {
                LOG.log(
                        System.Logger.Level.INFO,
                        saved == 0
                                ? extra.name() + ": none in " + checkpoint.folder() + ", each rank begins with "
                                        + extra.replaces().orElse("0")
                                : extra.name() + " of " + saved + " ranks in " + checkpoint.folder() + ": each of "
                                        + ranks.worldSize() + " ranks goes on with their mean");
            }
        }
        return pieces;
    }

    private static int ranksSaved(ExtraState extra, Checkpoint checkpoint) {
        return (int) checkpoint.kinds().stream()
                .filter(kind -> kind.startsWith(extra.name() + "."))
                .count();
    }

    /** {@return the optimizer's states in whose place these are loaded; none of a checkpoint that AdamW saved} */
    List<String> replacedIn(Checkpoint checkpoint) {
        return all().stream()
                .filter(extra -> extra.inUse().test(checkpoint.training().updates()))
                .filter(extra -> ranksSaved(extra, checkpoint) > 0)
                .flatMap(extra -> extra.replaces().stream())
                .toList();
    }

    /** Sets all of it to 0. */
    void clear() {
        TensorBackend backend = state.states().backend();
        for (ExtraState extra : all()) {
            extra.units()
                    .forEach(tensor -> backend.kernels(backend.computeStream()).fill(tensor, 0));
        }
        backend.computeStream().synchronize();
    }

    private void add(ExtraState extra, String kind, double weight, List<Piece> pieces) {
        for (int unit = 0; unit < state.units().count(); unit++) {
            UnitLayout layout = state.units().layout(unit);
            Range kept = extra.ofRank() ? layout.whole() : state.units().shard(unit);
            for (Parameter parameter : layout.parameters()) {
                long offset = layout.offset(parameter);
                Range part = kept.intersect(new Range(offset, offset + parameter.elements()));
                if (!part.isEmpty()) {
                    Tensor values = extra.units().get(unit).slice(part.first() - kept.first(), part.elements());
                    pieces.add(new ExtraPiece(
                            kind,
                            parameter,
                            part.first() - offset,
                            values,
                            weight,
                            state.states().backend()));
                }
            }
        }
    }

    /**
     * Consecutive elements.
     *
     * @param weight with which what is loaded is added; 1 where it replaces
     */
    private record ExtraPiece(
            String kind, Parameter parameter, long first, Tensor values, double weight, TensorBackend backend)
            implements Piece {
        @Override
        public long elements() {
            return values.elements();
        }

        @Override
        public void download(long offset, MemorySegment target) {
            backend.download(values.slice(offset, target.byteSize() / Float.BYTES), target, backend.computeStream());
            backend.computeStream().synchronize();
        }

        @Override
        public Optional<MemorySegment> resident() {
            return values.buffer().device().equals(Device.HOST) ? Optional.of(values.host()) : Optional.empty();
        }

        @Override
        public void upload(long offset, MemorySegment source) {
            long count = source.byteSize() / Float.BYTES;
            if (weight == 1) {
                backend.upload(source, values.slice(offset, count), backend.computeStream());
                backend.computeStream().synchronize();
                return;
            }
            try (Arena arena = Arena.ofShared()) {
                MemorySegment sum = arena.allocate(source.byteSize(), 64);
                download(offset, sum);
                for (long i = 0; i < count; i++) {
                    double added = weight * source.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i);
                    sum.setAtIndex(
                            ValueLayout.JAVA_FLOAT, i, (float) (sum.getAtIndex(ValueLayout.JAVA_FLOAT, i) + added));
                }
                backend.upload(sum, values.slice(offset, count), backend.computeStream());
                backend.computeStream().synchronize();
            }
        }
    }
}
