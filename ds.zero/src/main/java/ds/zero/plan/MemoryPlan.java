package ds.zero.plan;

import ds.api.Buffer;
import ds.api.Device;
import ds.api.MemoryUse;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.Traffic;
import ds.api.layer.Batch;
import ds.api.layer.Parameter;
import ds.api.layer.PassMemory;
import ds.api.layer.Sequential;
import ds.zero.Mesh;
import ds.zero.ZeroEngine;
import ds.zero.config.ZeroConfig;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * What one rank will need, found by a dry run: the engine that trains is made and makes steps, on a {@link PlanningBackend} and a
 * {@link PlanningCommunicator}. So the plan is as right as the engine's own accounts. All ranks need the same, since shards are
 * equal.
 *
 * <p>Where the backend is a device of its own, a plan has two accounts: {@code memory}, {@code atPeak} and {@code
 * trainingPeakBytes} are the host's, to which {@code ds.memory_limit} applies; {@code onDevice} has the device's.
 *
 * @param memory by label; peaks are those of steps, an evaluation, and reading all weights as a checkpoint does
 * @param atPeak live bytes by label at the moment when most was live
 * @param trainingPeakBytes most that is live in steps and evaluations, before weights are read
 * @param sentPerStep by this rank
 * @param parameters of the model: Ψ
 * @param passMemory what micro-batches take of it, where they are computed
 * @param onDevice what is on a device of its own; empty for a backend whose memory is the host's
 */
public record MemoryPlan(
        MemoryUse memory,
        Map<String, Long> atPeak,
        long trainingPeakBytes,
        Traffic sentPerStep,
        long parameters,
        PassMemory passMemory,
        Optional<OnDevice> onDevice) {
    /** Arenas grow in the first step and are one block from the second on; the third shows that it stays so. */
    private static final int STEPS = 3;

    /** The label of what an export holds of one parameter at a time, on the host and in F32. */
    public static final String EXPORT = "export";

    /** What is saved while the run trains. */
    public enum Checkpoints {
        /** Nothing. */
        NONE,
        /** Everything, while training waits. */
        SYNCHRONOUS,
        /** Everything, from a copy in host memory. */
        ASYNCHRONOUS
    }

    /**
     * What a run does beside the engine's own work.
     *
     * @param batches allocates a micro-batch as the training loop does; its contents are not looked at
     * @param checkpoints what it saves
     */
    public record Loop(Function<TensorBackend, Batch> batches, Checkpoints checkpoints) {}

    /**
     * The account of a device.
     *
     * @param device which
     * @param memory by label
     * @param atPeak live bytes by label at the moment when most was live
     * @param trainingPeakBytes most that is live in steps and evaluations
     */
    public record OnDevice(Device device, MemoryUse memory, Map<String, Long> atPeak, long trainingPeakBytes) {}

    /**
     * Runs dry, on the machine that {@code ds.backend} and {@code ds.communicator} name; their providers need not be at hand.
     *
     * @param model whose layers allocate through {@link ds.api.layer.Pass} and compute with kernels alone
     */
    public static MemoryPlan of(Sequential model, ZeroConfig config, Loop loop) {
        return of(tensor -> model, config, loop);
    }

    /**
     * Runs dry a model whose layers may be split.
     *
     * @param model made for the ranks of the tensor axis, if there are any; see {@link Mesh#tensor}
     */
    public static MemoryPlan of(Function<Optional<Communicator>, Sequential> model, ZeroConfig config, Loop loop) {
        return of(model, config, loop, PlannedMachine.of(config.runtime()));
    }

    static MemoryPlan of(
            Function<Optional<Communicator>, Sequential> model, ZeroConfig config, Loop loop, PlannedMachine machine) {
        PlanningBackend host = new PlanningBackend(Device.HOST);
        boolean divided = !machine.device().equals(Device.HOST);
        PlanningBackend backend = divided ? new PlanningBackend(machine.device(), host) : host;
        PlannedMesh ranks = PlannedMesh.of(config, machine);
        Mesh mesh = ranks.on(backend);
        try (ZeroEngine engine = ZeroEngine.dryRun(model.apply(mesh.tensor()), config, mesh, host)) {
            Batch batch = loop.batches().apply(backend);
            Traffic sent = Traffic.NONE;
            for (int step = 0; step < STEPS; step++) {
                Traffic before = ranks.traffic();
                engine.trainBatch(micro -> batch);
                sent = ranks.traffic().since(before);
                if (step == 0) {
                    allocateCheckpoints(engine, backend, loop.checkpoints());
                }
            }
            engine.evaluate(batch);
            long trainingPeak = host.memory().peakBytes();
            long devicePeak = backend.memory().peakBytes();
            for (Parameter parameter : engine.parameters()) {
                Buffer exported = backend.allocateHost(parameter.whole().elements() * Float.BYTES, EXPORT);
                engine.read(parameter, MemorySegment.NULL); // nothing is copied to it
                exported.close();
            }
            Optional<OnDevice> onDevice = divided
                    ? Optional.of(new OnDevice(machine.device(), backend.memory(), backend.bytesAtPeak(), devicePeak))
                    : Optional.empty();
            return new MemoryPlan(
                    host.memory(),
                    host.bytesAtPeak(),
                    trainingPeak,
                    sent,
                    engine.parameterElements(),
                    engine.passMemory(),
                    onDevice);
        }
    }

    /** What a save after the first step leaves allocated: the copy is kept for the next save. */
    private static void allocateCheckpoints(ZeroEngine engine, PlanningBackend backend, Checkpoints checkpoints) {
        long bytes = switch (checkpoints) {
            case NONE -> 0;
            case SYNCHRONOUS -> engine.checkpointBytes(false);
            case ASYNCHRONOUS -> engine.checkpointBytes(true);
        };
        if (bytes > 0) {
            backend.allocateHost(bytes, "checkpoint");
        }
    }

    /** {@return the most that is allocated at once on the host} */
    public long peakBytes() {
        return memory.peakBytes();
    }
}
