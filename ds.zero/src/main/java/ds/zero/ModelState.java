package ds.zero;

import ds.api.DType;
import ds.api.Device;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.layer.Parameter;
import ds.api.layer.ParameterStore;
import ds.api.layer.Sequential;
import ds.api.layer.Weights;
import ds.api.spi.Optimizer;
import ds.zero.config.GradientTypes;
import ds.zero.config.Offload;
import ds.zero.config.ZeroConfig;
import ds.zero.config.ZeroOptimization;
import ds.zero.config.ZeroStage;
import ds.zero.offload.SwapThreads;
import ds.zero.optimizer.Optimizers;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * What this rank keeps of a model: weights, gradients, master weights and optimizer states, each where the stage has it. This
 * is the one place where the stages are told apart.
 */
final class ModelState implements Weights, ParameterStore, AutoCloseable {
    private final Units units;
    private final WeightStage weights;
    private final GradientStage gradients;
    private final InFlight reductions;
    private final UpdatedStates states;
    private final Optional<SwapThreads> swapThreads;
    private final MasterWriter masterWriter;
    private final ShardReader masterReader;
    private final ShardReader gradientReader;

    /**
     * Allocates what the stage keeps.
     *
     * @param swapThreads asked for if something is kept in files
     */
    ModelState(Sequential model, ZeroConfig config, Stack stack, Supplier<SwapThreads> swapThreads) {
        TensorBackend backend = stack.backend();
        Communicator communicator = stack.communicator();
        ZeroOptimization zero = config.zero();
        requireHost(zero, backend);
        boolean shardedUpdate = zero.stage() != ZeroStage.DISABLED;
        this.units = new Units(model, communicator.rank(), communicator.worldSize(), shardedUpdate);
        this.swapThreads = swaps(zero) ? Optional.of(swapThreads.get()) : Optional.empty();
        this.weights = weights(config, stack);
        this.reductions =
                new InFlight(units, backend.computeStream(), zero.reduceBucketElements(), zero.overlapCommunication());
        this.gradients = gradients(zero.stage(), config.gradients(), stack);
        this.states = states(config, stack);
        this.masterWriter = new MasterWriter(units, weights, states, backend);
        this.masterReader = new ShardReader(units, stack, "master weights", states::master);
        this.gradientReader = new ShardReader(units, stack, "gradients", gradients::reduced);
    }

    private WeightStage weights(ZeroConfig config, Stack stack) {
        TensorBackend backend = stack.backend();
        ZeroOptimization zero = config.zero();
        DType dtype = config.precision().weights();
        InFlight gathers = new InFlight(units, backend.computeStream(), zero.allgatherBucketElements(), true);
        return switch (zero.stage()) {
            case DISABLED, OPTIMIZER_STATES, GRADIENTS -> new ReplicatedWeights(units, stack, dtype, gathers);
            case PARAMETERS -> {
                Optional<ShardFile> file = switch (zero.offloadParameters()) {
                    case Offload.None(), Offload.Cpu() -> Optional.empty();
                    case Offload.Nvme nvme -> Optional.of(new ShardFile(tiles(zero), dtype, swapping(stack, nvme)));
                };
                yield new ShardedWeights(units, stack, dtype, gathers, zero.stage3(), file);
            }
        };
    }

    private static boolean swaps(ZeroOptimization zero) {
        return zero.offloadOptimizer() instanceof Offload.Nvme || zero.offloadParameters() instanceof Offload.Nvme;
    }

    private static void requireHost(ZeroOptimization zero, TensorBackend backend) {
        boolean offloads = !(zero.offloadOptimizer() instanceof Offload.None)
                || !(zero.offloadParameters() instanceof Offload.None);
        if (offloads && !backend.device().equals(Device.HOST)) {
            throw new IllegalArgumentException("zero_optimization.offload_optimizer, offload_param: backend '"
                    + backend.name() + "' keeps its tensors on " + backend.device()
                    + "; offload from there is not supported yet: remove the blocks, or use a backend on the host");
        }
    }

    private Tiles tiles(ZeroOptimization zero) {
        return new Tiles(units, Math.min(Tiles.MOST_ELEMENTS, zero.subGroupElements()));
    }

    private Swapping swapping(Stack stack, Offload.Nvme nvme) {
        return new Swapping(
                stack.backend(),
                swapThreads.orElseThrow(),
                nvme,
                stack.communicator().rank());
    }

    private UpdatedStates states(ZeroConfig config, Stack stack) {
        Optimizer optimizer = Optimizers.of(config.optimizer());
        StateKinds kinds = new StateKinds(
                units, weights, config.precision().states(), config.runtime().seed(), optimizer);
        return switch (config.zero().offloadOptimizer()) {
            case Offload.None(), Offload.Cpu() -> new OwnedStates(kinds, gradients, stack);
            case Offload.Nvme nvme -> new SwappedStates(tiles(config.zero()), kinds, gradients, swapping(stack, nvme));
        };
    }

    private GradientStage gradients(ZeroStage stage, GradientTypes types, Stack stack) {
        TensorBackend backend = stack.backend();
        GradientReduction reduction = new GradientReduction(units, stack, types.communication(), reductions);
        return switch (stage) {
            case DISABLED ->
                new AllReducedGradients(new FullGradients(units, backend, types.accumulation(), reductions), reduction);
            case OPTIMIZER_STATES ->
                new ReduceScatteredGradients(
                        units, backend, new FullGradients(units, backend, types.accumulation(), reductions), reduction);
            case GRADIENTS, PARAMETERS ->
                new ShardedGradients(
                        units,
                        backend,
                        types.accumulation(),
                        new GradientWorkspace(units, backend, reductions),
                        reduction);
        };
    }

    SwapTraffic swapTraffic() {
        return swapThreads.map(SwapThreads::traffic).orElse(SwapTraffic.NONE);
    }

    /** {@return the model with each layer's weights there when it is called, and its gradients on their way after} */
    Sequential wrap(Sequential model) {
        return model.map(layer -> new UnitLayer(layer, units.unitOf(layer), weights, gradients));
    }

    /** Gives all weights their initial values, the same for any number of ranks; no rank makes more than what it owns. */
    void initialise(long seed) {
        masterWriter.initialise(seed);
        publishAll();
    }

    /** Makes the weights what the masters say, on all ranks. */
    void publishAll() {
        for (int unit = 0; unit < units.count(); unit++) {
            states.publish(unit);
            weights.ownedChanged(unit);
        }
        weights.awaitChanges();
    }

    /** Has the model compute with masters that were replaced from outside. */
    void mastersReplaced() {
        forget();
        publishAll();
    }

    /** Begins a micro-batch of training. */
    void beginTraining(List<Visit> visits, boolean first, boolean last) {
        if (first) {
            forget();
        }
        gradients.begin(first, last);
        weights.begin(visits);
    }

    /** Begins an evaluation. */
    void beginEvaluation(List<Visit> visits) {
        weights.begin(visits);
    }

    Units units() {
        return units;
    }

    WeightStage weights() {
        return weights;
    }

    GradientStage gradients() {
        return gradients;
    }

    UpdatedStates states() {
        return states;
    }

    /** {@return this rank's shard of a unit's sum: the same elements at every stage, so that each sums norms in one order} */
    Tensor shardOfSum(int unit) {
        UnitLayout.Range shard = units.shard(unit);
        long before = units.owned(unit).first();
        return gradients.reduced(unit).slice(shard.first() - before, shard.elements());
    }

    /** {@return how long the calling thread has waited for gradients to be summed since it last asked} */
    long takeReductionWaitNanos() {
        return reductions.takeWaitNanos();
    }

    @Override
    public Tensor value(Parameter parameter) {
        return weights.value(parameter);
    }

    @Override
    public Tensor gradient(Parameter parameter) {
        return gradients.gradient(parameter);
    }

    /** Reads the sum of a parameter's gradient over micro-batches and ranks; all ranks call it in the same order. */
    void readGradient(Parameter parameter, MemorySegment target) {
        gradients.finish();
        gradientReader.read(parameter, target);
    }

    @Override
    public List<Parameter> parameters() {
        return units.parameters();
    }

    @Override
    public void read(Parameter parameter, MemorySegment target) {
        masterReader.read(parameter, target);
    }

    @Override
    public void write(Parameter parameter, MemorySegment source) {
        masterReader.forget();
        masterWriter.write(parameter, source);
    }

    private void forget() {
        masterReader.forget();
        gradientReader.forget();
        states.forget();
    }

    @Override
    public void close() {
        forget();
        states.close();
        gradients.close();
        weights.close();
        swapThreads.ifPresent(SwapThreads::close);
    }
}
