package ds.zero.gradient;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.Work;
import ds.api.layer.GradientRows;
import ds.api.layer.Parameter;
import ds.zero.timing.StepTimer;
import ds.zero.unit.InFlight;
import ds.zero.unit.NamedRows;
import ds.zero.unit.UnitLayout;
import java.util.HashMap;
import java.util.Map;

/**
 * What of a unit's gradients its own layer adds to, when layers behind it that share its table have long been done: {@link NamedRows},
 * and memory for them.
 */
final class LateRows implements AutoCloseable {
    /** A table has at least so many times the rows that are named: both ways they cost an all-reduce, at most a quarter of the table's sum. */
    private static final long MOST_OF_TABLE = 8;

    private final TensorBackend backend;
    private final UnitLayout layout;
    private final NamedRows named;
    private final Map<String, Tensor> memory = new HashMap<>();
    // Those of one micro-batch are asked for while sums of the one before may still need theirs.
    private final Tensor[] rows = new Tensor[2];
    private final Work[] arriving = new Work[2];
    private int current;

    /**
     * Allocates what the numbers of rows take.
     *
     * @param layout of the unit
     * @param own what this rank's batches name
     */
    LateRows(TensorBackend backend, UnitLayout layout, GradientRows own, int ranks) {
        this.backend = backend;
        this.layout = layout;
        this.named = new NamedRows(backend.kernels(backend.computeStream()), layout, own, ranks);
        for (int i = 0; i < rows.length; i++) {
            rows[i] = allocate(DType.I32, named.count());
        }
    }

    /** {@return whether so few rows are named that it is worth to let the others travel before} */
    static boolean areFew(GradientRows own, int ranks) {
        return MOST_OF_TABLE * ranks * own.rows().elements()
                <= own.table().shape().rows();
    }

    /** {@return whether this is about as many rows of the same table} */
    boolean fits(GradientRows own, int ranks) {
        return named.isFor(own, ranks);
    }

    /** Asks all ranks for the rows that a micro-batch names. */
    void announce(GradientRows own, Communicator communicator, InFlight inFlight, int unit) {
        current ^= 1;
        arriving[current] = communicator.allGather(own.rows(), rows[current], inFlight.call("late rows", unit));
    }

    /** {@return what is named in the micro-batch announced last} */
    Named named(StepTimer timer) {
        if (arriving[current] != null) {
            timer.await(arriving[current], backend.computeStream());
            arriving[current] = null;
        }
        return new Named(rows[current]);
    }

    /**
     * {@return memory for what is late; contents are those of the last use for the same purpose}
     *
     * @param purpose of which there is one at a time
     */
    Tensor memory(String purpose, DType dtype) {
        return memory.computeIfAbsent(purpose, p -> allocate(dtype, named.elements()));
    }

    private Tensor allocate(DType dtype, long elements) {
        return backend.allocate(dtype, Shape.of(elements), "communicationBuckets");
    }

    /** The late elements of one micro-batch. */
    final class Named {
        private final Tensor index;

        private Named(Tensor index) {
            this.index = index;
        }

        /** Copies what is late out of gradients, converting the type. */
        void take(Map<Parameter, Tensor> gradients, Tensor late) {
            named.take(layout.whole(), gradients, index, late);
        }

        /** Copies it back: the inverse of {@link #take}. */
        void put(Tensor late, Map<Parameter, Tensor> gradients) {
            named.put(late, index, gradients);
        }
    }

    @Override
    public void close() {
        memory.values().forEach(tensor -> tensor.buffer().close());
        for (Tensor numbers : rows) {
            numbers.buffer().close();
        }
    }
}
