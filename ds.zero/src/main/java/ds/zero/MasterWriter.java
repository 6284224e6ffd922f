package ds.zero;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Parameter;
import ds.api.layer.Slice;
import ds.zero.state.UpdatedStates;
import ds.zero.unit.Tiles;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;
import ds.zero.weight.WeightStage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.stream.LongStream;

/** Values for master weights, from outside of steps: initial ones, and whole parameters as F32 in host memory. */
final class MasterWriter {
    /** 16 MiB: what is made at once, beside the memory that is planned. */
    private static final long PIECE_ELEMENTS = Tiles.MOST_ELEMENTS;

    private static final long SHARE_ELEMENTS = 1 << 16; // what a thread makes at once

    private final Units units;
    private final WeightStage weights;
    private final UpdatedStates states;
    private final TensorBackend backend;

    MasterWriter(Units units, WeightStage weights, UpdatedStates states, TensorBackend backend) {
        this.units = units;
        this.weights = weights;
        this.states = states;
        this.backend = backend;
    }

    /** Gives the elements that this rank owns their initial values; no rank ever makes more than these, nor all at once. */
    void initialise(long seed) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment values = arena.allocate(PIECE_ELEMENTS * Float.BYTES, 64);
            for (int unit = 0; unit < units.count(); unit++) {
                UnitLayout.Range owned = units.owned(unit);
                for (long first = owned.first(); first < owned.end(); first += PIECE_ELEMENTS) {
                    long end = Math.min(owned.end(), first + PIECE_ELEMENTS);
                    MemorySegment piece =
                            values.asSlice(0, (end - first) * Float.BYTES).fill((byte) 0);
                    for (Parameter parameter : units.layout(unit).parameters()) {
                        long offset = units.layout(unit).offset(parameter);
                        initialValues(parameter, seed, new UnitLayout.Range(first, end), offset, piece);
                    }
                    states.write(UpdatedStates.MASTER, unit, first - owned.first(), piece);
                }
            }
        }
    }

    private static void initialValues(
            Parameter parameter, long seed, UnitLayout.Range piece, long offset, MemorySegment values) {
        UnitLayout.Range part = piece.intersect(new UnitLayout.Range(offset, offset + parameter.elements()));
        long key = parameter.key(seed);
        Slice all = Slice.all(parameter.whole());
        LongStream.range(0, Math.ceilDiv(part.elements(), SHARE_ELEMENTS))
                .parallel()
                .forEach(share -> {
                    long first = part.first() + share * SHARE_ELEMENTS;
                    long end = Math.min(first + SHARE_ELEMENTS, part.end());
                    parameter.slice().forEachCommon(all, first - offset, end - offset, (here, there, count) -> {
                        long start = (offset + here - piece.first()) * Float.BYTES;
                        parameter.initializer().fill(key, there, values.asSlice(start, count * Float.BYTES));
                    });
                });
    }

    /**
     * Replaces this rank's part of a parameter.
     *
     * @param whole F32, all elements of the whole parameter
     */
    void write(Parameter parameter, MemorySegment whole) {
        try (Arena arena = Arena.ofShared()) {
            writeHeld(parameter, parameter.slice().select(whole, arena));
        }
    }

    private void writeHeld(Parameter parameter, MemorySegment source) {
        int unit = units.unitOf(parameter);
        UnitLayout.Range owned = units.owned(unit);
        long offset = units.layout(unit).offset(parameter);
        UnitLayout.Range part = owned.intersect(new UnitLayout.Range(offset, offset + parameter.elements()));
        try (Buffer buffer = backend.allocate(parameter.elements() * Float.BYTES, "temporary")) {
            Tensor values = new Tensor(buffer, DType.F32, parameter.shape());
            backend.upload(source, values, backend.computeStream());
            weights.write(parameter, values, source);
            if (!part.isEmpty()) {
                MemorySegment own =
                        source.asSlice((part.first() - offset) * Float.BYTES, part.elements() * Float.BYTES);
                states.write(UpdatedStates.MASTER, unit, part.first() - owned.first(), own);
            }
            backend.computeStream().synchronize();
        }
    }
}
