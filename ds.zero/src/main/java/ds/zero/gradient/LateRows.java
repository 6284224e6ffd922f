package ds.zero.gradient;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.Work;
import ds.api.layer.GradientRows;
import ds.api.layer.Parameter;
import ds.zero.timing.StepTimer;
import ds.zero.unit.InFlight;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What of a unit's gradients its own layer adds to, when layers behind it that share its table have long been done: the table's rows
 * that the batches of all ranks name, and the unit's other parameters. Side by side they are one small tensor, which is taken out of
 * gradients and put back: a row as often as it is named, so that no host has to know which rows these are.
 */
final class LateRows implements AutoCloseable {
    /** A table has at least so many times the rows that are named: both ways they cost an all-reduce, at most a quarter of the table's sum. */
    private static final long MOST_OF_TABLE = 8;

    private final TensorBackend backend;
    private final Kernels kernels;
    private final Parameter table;
    private final List<Parameter> others;
    private final long named; // by all ranks
    private final Map<String, Tensor> memory = new HashMap<>();
    // Those of one micro-batch are asked for while sums of the one before may still need theirs.
    private final Tensor[] rows = new Tensor[2];
    private final Work[] arriving = new Work[2];
    private int current;

    /**
     * Allocates what the numbers of rows take.
     *
     * @param parameters of the unit
     * @param own what this rank's batches name
     */
    LateRows(TensorBackend backend, List<Parameter> parameters, GradientRows own, int ranks) {
        this.backend = backend;
        this.kernels = backend.kernels(backend.computeStream());
        this.table = own.table();
        this.others = parameters.stream()
                .filter(parameter -> !parameter.equals(table))
                .toList();
        this.named = ranks * own.rows().elements();
        for (int i = 0; i < rows.length; i++) {
            rows[i] = allocate(DType.I32, named);
        }
    }

    /** {@return whether so few rows are named that it is worth to let the others travel before} */
    static boolean areFew(GradientRows own, int ranks) {
        return MOST_OF_TABLE * ranks * own.rows().elements()
                <= own.table().shape().rows();
    }

    /** {@return whether this is about as many rows of the same table} */
    boolean fits(GradientRows own, int ranks) {
        return own.table().equals(table) && ranks * own.rows().elements() == named;
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
        long elements = named * table.shape().columns();
        for (Parameter other : others) {
            elements += other.elements();
        }
        long all = elements;
        return memory.computeIfAbsent(purpose, p -> allocate(dtype, all));
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
            long at = named * table.shape().columns();
            kernels.gatherRows(gradients.get(table), index, late.slice(0, at));
            for (Parameter other : others) {
                kernels.copy(gradients.get(other), late.slice(at, other.elements()));
                at += other.elements();
            }
        }

        /** Copies it back: the inverse of {@link #take}. */
        void put(Tensor late, Map<Parameter, Tensor> gradients) {
            long at = named * table.shape().columns();
            kernels.scatterRows(late.slice(0, at), index, gradients.get(table));
            for (Parameter other : others) {
                kernels.copy(late.slice(at, other.elements()), gradients.get(other));
                at += other.elements();
            }
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
