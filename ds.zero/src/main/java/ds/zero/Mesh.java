package ds.zero;

import ds.api.DType;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Sequential;
import ds.api.layer.Slice;
import ds.zero.config.StatePrecision;
import ds.zero.config.TensorParallel;
import ds.zero.config.ZeroConfig;
import ds.zero.host.StagedCommunicator;
import ds.zero.run.Stack;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The ranks of a job as a mesh with two axes. Consecutive ranks form a group of the tensor axis: they share the layers of a model
 * between them, and see the same samples. The ranks that hold the same part of the model form a group of the data axis: ZeRO shards
 * among them, and the batch is dealt to them. Without tensor parallelism the data axis is the whole job.
 */
public final class Mesh implements AutoCloseable {
    private final TensorBackend backend;
    private final Communicator world;
    private final Communicator data;
    private final Optional<Communicator> tensor;
    private final List<Communicator> owned; // in the order of closing

    private Mesh(
            TensorBackend backend,
            Communicator world,
            Communicator data,
            Optional<Communicator> tensor,
            List<Communicator> owned) {
        this.backend = backend;
        this.world = world;
        this.data = data;
        this.tensor = tensor;
        this.owned = owned;
    }

    /**
     * Forms the mesh; all ranks call it.
     *
     * @param stack borrowed
     * @param tensorParallel how many ranks the tensor axis has, a divisor of all ranks
     * @return handed over; to be closed before the stack
     */
    public static Mesh of(Stack stack, TensorParallel tensorParallel) {
        Communicator world = stack.communicator();
        TensorBackend backend = stack.backend();
        int size = tensorParallel.size();
        if (size == 1) {
            return new Mesh(backend, world, world, Optional.empty(), List.of());
        }
        if (world.worldSize() % size != 0) {
            throw new IllegalArgumentException("rank " + world.rank() + ": tensor_parallel.autotp_size = " + size
                    + " does not divide the " + world.worldSize() + " ranks; start a multiple of it");
        }
        List<Communicator> owned = new ArrayList<>();
        Communicator tensor = world.split(world.rank() / size, world.rank());
        owned.add(tensor);
        Communicator data = world.split(world.rank() % size, world.rank());
        owned.add(data);
        if (!tensor.accepts(backend.device())) {
            tensor = StagedCommunicator.forDevice(backend, tensor);
            owned.addFirst(tensor);
        }
        return new Mesh(backend, world, data, Optional.of(tensor), owned);
    }

    /**
     * {@return a mesh of groups that are there already}
     *
     * @param backend borrowed
     * @param world borrowed, as the others
     */
    public static Mesh ofGroups(
            TensorBackend backend, Communicator world, Communicator data, Optional<Communicator> tensor) {
        return new Mesh(backend, world, data, tensor, List.of());
    }

    /** {@return the device of this rank, and the ranks of the data axis; borrowed} */
    Stack stack() {
        return new Stack(backend, data);
    }

    /** {@return all ranks; borrowed} */
    public Communicator world() {
        return world;
    }

    /** {@return the ranks that hold the same part of the model; borrowed} */
    public Communicator data() {
        return data;
    }

    /** {@return the ranks that share the model, with which its layers are made; borrowed; empty where it is not split} */
    public Optional<Communicator> tensor() {
        return tensor;
    }

    /** {@return how many ranks share the model} */
    public int tensorSize() {
        return tensor.map(Communicator::worldSize).orElse(1);
    }

    /** {@return whether this rank counts what all ranks of a tensor axis have alike: replicated parameters, and losses} */
    boolean isFirstOfTensorAxis() {
        return tensor.map(Communicator::rank).orElse(0) == 0;
    }

    /** Rejects a model or a configuration that was made for another mesh. */
    void requireMadeFor(Sequential model, ZeroConfig config) {
        int size = config.tensorParallel().size();
        String where = "rank " + world.rank() + ": tensor_parallel.autotp_size = " + size;
        if (size != tensorSize()) {
            throw new IllegalArgumentException(where + ", and the mesh has " + tensorSize()
                    + " ranks on its tensor axis; make it by Mesh.of(stack, config.tensorParallel()), and the model for"
                    + " Mesh.tensor()");
        }
        List<Slice> slices = model.parameters().stream().map(Parameter::slice).toList();
        boolean split = slices.stream().anyMatch(slice -> slice.parts() == size);
        if (!split || slices.stream().anyMatch(slice -> slice.parts() != size && !slice.isAll())) {
            throw new IllegalArgumentException(where + ", and the layers of model " + model.name()
                    + " are not split over as many ranks; make them for Mesh.tensor()");
        }
        if (roundsAtRandom(config.precision().states())
                && model.layers().stream().anyMatch(Mesh::isUnevenBeforeReplicated)) {
            throw new IllegalArgumentException(where + ": the ranks split a layer of model " + model.name()
                    + " unevenly, so that what they all have lies at other places on each and would be rounded by other"
                    + " random numbers; choose a divisor of the heads, or ds.states.rounding nearest");
        }
    }

    private static boolean roundsAtRandom(StatePrecision states) {
        boolean bf16 =
                states.masterWeights() == StatePrecision.MasterWeights.BF16 || states.optimizerStates() == DType.BF16;
        return bf16 && states.rounding() == StatePrecision.Rounding.STOCHASTIC;
    }

    /** Parameters that decay lie in front of the others. */
    private static boolean isUnevenBeforeReplicated(Layer layer) {
        return layer.parameters().stream()
                        .anyMatch(p -> p.decays() && !p.slice().isEven())
                && layer.parameters().stream()
                        .anyMatch(p -> !p.decays() && p.slice().isAll());
    }

    @Override
    public void close() {
        owned.forEach(Communicator::close);
    }
}
