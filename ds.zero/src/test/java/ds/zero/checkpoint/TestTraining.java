package ds.zero.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.Shape;
import ds.api.layer.Initializer;
import ds.api.layer.Parameter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A training without an engine: parameters of odd sizes, one of them longer than a chunk, whose values follow from kind, name,
 * element and version, so that every element that goes astray is seen.
 *
 * @param kinds master weights and states
 * @param parameters of the model
 */
record TestTraining(List<String> kinds, List<Parameter> parameters) {
    static final List<String> ADAM = List.of(Piece.MASTER, "exp_avg", "exp_avg_sq");

    static final List<Parameter> PARAMETERS = List.of(
            parameter("wte.weight", 1031, 1021), // 4.2 MB: a chunk and a rest
            parameter("h.0.attn.weight", 17, 51),
            parameter("h.0.attn.bias", 51),
            parameter("h.0.scale"),
            parameter("h.1.attn.weight", 7, 5));

    static TestTraining adam() {
        return new TestTraining(ADAM, PARAMETERS);
    }

    /** Without the long parameter: for tests that save often. */
    static TestTraining small() {
        return new TestTraining(ADAM, PARAMETERS.subList(1, PARAMETERS.size()));
    }

    static Parameter parameter(String name, long... dims) {
        return new Parameter(name, Shape.of(dims), new Initializer.Constant(0));
    }

    static TrainingState state(long step) {
        return new TrainingState(
                step,
                step - 1,
                -77,
                12 * step,
                2,
                "AdamW",
                Map.of("scale", 65536.0, "good_steps", 3.0),
                Map.of("counted", 7.0));
    }

    /** What a rank owns if all parameters lay side by side, cut into equal shards; of a world of one: everything. */
    RankPieces shard(int rank, int worldSize, int version) {
        long total = parameters.stream().mapToLong(Parameter::elements).sum();
        long shard = Math.ceilDiv(total, worldSize);
        List<Memory> pieces = new ArrayList<>();
        for (String kind : kinds) {
            long begin = 0;
            for (Parameter parameter : parameters) {
                long first = Math.max(begin, rank * shard) - begin;
                long end = Math.min(begin + parameter.elements(), (rank + 1) * shard) - begin;
                if (first < end) {
                    pieces.add(new Memory(kind, parameter, first, end - first));
                }
                begin += parameter.elements();
            }
        }
        pieces.forEach(piece -> piece.fill(version));
        return new RankPieces(parameters, kinds, pieces);
    }

    static float value(String kind, String parameter, long element, int version) {
        long mixed = (kind + parameter).hashCode() * 31L + element * 0x9E3779B97F4A7C15L + version;
        return Float.intBitsToFloat(
                (int) (mixed ^ (mixed >>> 32))); // any bits, NaN too: they must come back as they were
    }

    /** Fails unless all pieces have the values of that version, bit for bit. */
    static void assertVersion(int version, RankPieces rank) {
        for (Piece piece : rank.pieces()) {
            Memory memory = (Memory) piece;
            for (int i = 0; i < memory.values.length; i++) {
                float expected = value(memory.kind, memory.parameter.name(), memory.first + i, version);
                if (Float.floatToRawIntBits(expected) != Float.floatToRawIntBits(memory.values[i])) {
                    assertEquals(expected, memory.values[i], memory.kind + "/" + memory.parameter + " + " + i);
                    throw new AssertionError("NaNs of different bits: " + memory.kind + "/" + memory.parameter);
                }
            }
        }
    }

    /** A piece on the heap. */
    static final class Memory implements Piece {
        private final String kind;
        private final Parameter parameter;
        private final long first;
        private final float[] values;

        Memory(String kind, Parameter parameter, long first, long elements) {
            this.kind = kind;
            this.parameter = parameter;
            this.first = first;
            this.values = new float[Math.toIntExact(elements)];
        }

        void fill(int version) {
            for (int i = 0; i < values.length; i++) {
                values[i] = value(kind, parameter.name(), first + i, version);
            }
        }

        float get(int element) {
            return values[element];
        }

        @Override
        public String kind() {
            return kind;
        }

        @Override
        public Parameter parameter() {
            return parameter;
        }

        @Override
        public long first() {
            return first;
        }

        @Override
        public long elements() {
            return values.length;
        }

        @Override
        public void download(long offset, MemorySegment target) {
            target.copyFrom(MemorySegment.ofArray(values).asSlice(offset * Float.BYTES, target.byteSize()));
        }

        @Override
        public void upload(long offset, MemorySegment source) {
            int count = (int) (source.byteSize() / Float.BYTES);
            MemorySegment.copy(source, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, values, (int) offset, count);
        }
    }
}
