package ds.zero;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.layer.Parameter;
import ds.api.layer.ParameterStore;
import ds.api.layer.Sequential;
import ds.api.layer.Weights;
import ds.zero.config.GradientTypes;
import ds.zero.config.Offload;
import ds.zero.config.ZeroConfig;
import ds.zero.config.ZeroOptimization;
import ds.zero.config.ZeroStage;
import ds.zero.host.HostShards;
import ds.zero.offload.SwapThreads;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.IntStream;

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
     * @param machine borrowed
     * @param swapThreads asked for if something is kept in files
     */
    ModelState(Sequential model, ZeroConfig config, Machine machine, Supplier<SwapThreads> swapThreads) {
        Stack stack = machine.stack();
        TensorBackend backend = stack.backend();
        Communicator communicator = stack.communicator();
        ZeroOptimization zero = config.zero();
        boolean shardedUpdate = zero.stage() != ZeroStage.DISABLED;
        this.units = new Units(model, communicator.rank(), communicator.worldSize(), shardedUpdate);
        this.swapThreads = swaps(zero) ? Optional.of(swapThreads.get()) : Optional.empty();
        this.weights = weights(config, machine);
        this.reductions =
                new InFlight(units, backend.computeStream(), zero.reduceBucketElements(), zero.overlapCommunication());
        this.gradients = gradients(zero.stage(), config.gradients(), stack);
        this.states = new States(units, weights, gradients, machine).of(config, this::swapping);
        this.masterWriter = new MasterWriter(units, weights, states, backend);
        this.masterReader = new ShardReader(units, machine.on(states.backend()), "master weights", states::master);
        this.gradientReader = new ShardReader(units, stack, "gradients", gradients::reduced);
    }

    private WeightStage weights(ZeroConfig config, Machine machine) {
        Stack stack = machine.stack();
        ZeroOptimization zero = config.zero();
        DType dtype = config.precision().weights();
        InFlight gathers = new InFlight(units, stack.backend().computeStream(), zero.allgatherBucketElements(), true);
        return switch (zero.stage()) {
            case DISABLED, OPTIMIZER_STATES, GRADIENTS -> new ReplicatedWeights(units, stack, dtype, gathers);
            case PARAMETERS ->
                new ShardedWeights(units, stack, dtype, gathers, zero.stage3(), shards(zero, dtype, machine));
        };
    }

    private ShardedWeights.Home shards(ZeroOptimization zero, DType dtype, Machine machine) {
        return switch (zero.offloadParameters()) {
            case Offload.Nvme nvme -> {
                Tiles tiles = Tiles.ofFiles(units, Share.whole(units), zero);
                yield new ShardedWeights.Home(
                        Optional.of(new ShardFile(tiles, dtype, swapping(machine, nvme))), Optional.empty());
            }
            case Offload.Cpu _
            when machine.isDivided() -> {
                List<Long> elements = IntStream.range(0, units.count())
                        .mapToObj(unit -> units.layout(unit).shardElements())
                        .toList();
                HostShards shards = new HostShards(machine.stack().backend(), machine.host(), dtype, elements);
                yield new ShardedWeights.Home(Optional.empty(), Optional.of(shards));
            }
            case Offload.None(), Offload.Cpu _ -> new ShardedWeights.Home(Optional.empty(), Optional.empty());
        };
    }

    private static boolean swaps(ZeroOptimization zero) {
        return zero.offloadOptimizer() instanceof Offload.Nvme || zero.offloadParameters() instanceof Offload.Nvme;
    }

    private Swapping swapping(Machine machine, Offload.Nvme nvme) {
        return new Swapping(
                machine.stack().backend(),
                machine.host(),
                swapThreads.orElseThrow(),
                nvme,
                machine.stack().communicator().rank());
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
