package ds.zero;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.layer.Parameter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.LongStream;

/** Master weights in and out, outside of steps: initial values, and whole parameters as F32 in host memory. */
final class MasterAccess {
    private final Units units;
    private final GradientStage gradients;
    private final OwnedStates states;
    private final TensorBackend backend;
    private final Communicator communicator;
    private final Kernels kernels;

    private int gatheredUnit = -1;
    private Tensor gathered;

    MasterAccess(
            Units units,
            GradientStage gradients,
            OwnedStates states,
            TensorBackend backend,
            Communicator communicator) {
        this.units = units;
        this.gradients = gradients;
        this.states = states;
        this.backend = backend;
        this.communicator = communicator;
        this.kernels = backend.kernels(backend.computeStream());
    }

    /** Gives the elements that this rank owns their initial values; no rank ever makes more than these. */
    void initialise(long seed) {
        for (int unit = 0; unit < units.count(); unit++) {
            UnitLayout layout = units.layout(unit);
            UnitLayout.Range owned = gradients.owned(unit);
            try (Arena arena = Arena.ofShared()) {
                MemorySegment values = arena.allocate(owned.elements() * Float.BYTES, 64);
                for (Parameter parameter : layout.parameters()) {
                    initialValues(parameter, seed, owned, layout.offset(parameter), values);
                }
                backend.upload(values, states.master(unit), backend.computeStream());
                backend.computeStream().synchronize();
            }
            states.publish(unit);
        }
    }

    private static void initialValues(
            Parameter parameter, long seed, UnitLayout.Range owned, long offset, MemorySegment values) {
        UnitLayout.Range part = owned.intersect(new UnitLayout.Range(offset, offset + parameter.elements()));
        long key = parameter.key(seed);
        LongStream.range(part.first(), Math.max(part.first(), part.end()))
                .parallel()
                .forEach(element -> values.setAtIndex(
                        ValueLayout.JAVA_FLOAT,
                        element - owned.first(),
                        parameter.initializer().value(key, element - offset)));
    }

    void read(Parameter parameter, MemorySegment target) {
        int unit = units.unitOf(parameter);
        if (unit != gatheredUnit) {
            forget();
            gathered = gather(unit);
            gatheredUnit = unit;
        }
        long offset = units.layout(unit).offset(parameter);
        backend.download(gathered.slice(offset, parameter.elements()), target, backend.computeStream());
        backend.computeStream().synchronize();
    }

    /** {@return all master weights of a unit; where they are sharded and the weights are no F32, in memory of its own} */
    private Tensor gather(int unit) {
        Tensor weights = units.weights(unit);
        Tensor master = states.master(unit);
        if (weights.dtype() == DType.F32) {
            return weights;
        }
        if (master.elements() == weights.elements()) {
            return master;
        }
        Tensor all = backend.allocate(DType.F32, Shape.of(weights.elements()), "temporary");
        String label = "master weights of " + units.layout(unit).name();
        communicator
                .allGather(master, all, new Call(label, backend.computeStream().record()))
                .await(backend.computeStream());
        return all;
    }

    /** Frees what was gathered for reading. */
    void forget() {
        if (gathered != null && gathered.buffer().label().equals("temporary")) {
            gathered.buffer().close();
        }
        gathered = null;
        gatheredUnit = -1;
    }

    void write(Parameter parameter, MemorySegment source) {
        forget();
        int unit = units.unitOf(parameter);
        UnitLayout.Range owned = gradients.owned(unit);
        long offset = units.layout(unit).offset(parameter);
        UnitLayout.Range part = owned.intersect(new UnitLayout.Range(offset, offset + parameter.elements()));
        try (Buffer buffer = backend.allocate(parameter.elements() * Float.BYTES, "temporary")) {
            Tensor values = new Tensor(buffer, DType.F32, parameter.shape());
            backend.upload(source, values, backend.computeStream());
            kernels.copy(values, units.value(parameter));
            if (!part.isEmpty()) {
                kernels.copy(
                        values.slice(part.first() - offset, part.elements()),
                        states.master(unit).slice(part.first() - owned.first(), part.elements()));
            }
            backend.computeStream().synchronize();
        }
    }
}
