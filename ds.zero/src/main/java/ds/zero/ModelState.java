package ds.zero;

import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.layer.GradientSum;
import ds.api.layer.Parameter;
import ds.api.layer.ParameterStore;
import ds.api.layer.Sequential;
import ds.api.layer.Weights;
import ds.zero.config.Offload;
import ds.zero.config.ZeroConfig;
import ds.zero.config.ZeroOptimization;
import ds.zero.config.ZeroStage;
import ds.zero.gradient.GradientStage;
import ds.zero.host.Machine;
import ds.zero.offload.SwapThreads;
import ds.zero.offload.Swapping;
import ds.zero.onebit.Exchange;
import ds.zero.run.Stack;
import ds.zero.run.SwapTraffic;
import ds.zero.state.States;
import ds.zero.state.UpdatedStates;
import ds.zero.timing.StepTimer;
import ds.zero.timing.Timeline;
import ds.zero.unit.InFlight;
import ds.zero.unit.Units;
import ds.zero.unit.Visit;
import ds.zero.weight.WeightStage;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** What this rank keeps of a model: weights, gradients, master weights and optimizer states, each where the stage has it. */
final class ModelState implements Weights, ParameterStore, AutoCloseable {
    private final Units units;
    private final WeightStage weights;
    private final GradientStage gradients;
    private final InFlight reductions;
    private final Timeline timeline;
    private final UpdatedStates states;
    private final Optional<SwapThreads> swapThreads;
    private final MasterWriter masterWriter;
    private final ShardReader masterReader;
    private final ShardReader gradientReader;
    private final WholeParameters masters;
    private final WholeParameters wholeGradients;
    private final boolean countsReplicated;
    private final List<Runnable> watchers = new ArrayList<>();

    /**
     * Allocates what the stage keeps.
     *
     * @param machine borrowed
     * @param mesh borrowed
     * @param timer is told of waits
     * @param swapThreads asked for if something is kept in files
     */
    ModelState(
            Sequential model,
            ZeroConfig config,
            Machine machine,
            Mesh mesh,
            StepTimer timer,
            Supplier<SwapThreads> swapThreads) {
        Stack stack = machine.stack();
        TensorBackend backend = stack.backend();
        Communicator communicator = stack.communicator();
        ZeroOptimization zero = config.zero();
        boolean shardedUpdate = zero.stage() != ZeroStage.DISABLED;
        this.units = new Units(model, communicator.rank(), communicator.worldSize(), shardedUpdate);
        this.swapThreads = swaps(zero) ? Optional.of(swapThreads.get()) : Optional.empty();
        this.timeline = timer.timeline();
        this.weights = WeightStage.of(config, units, machine, timer, this::swapping);
        this.reductions = new InFlight(
                units,
                backend.computeStream(),
                new InFlight.Limits(zero.reduceBucketElements(), zero.overlapCommunication()),
                timer);
        this.gradients = GradientStage.of(config, units, stack, reductions);
        this.states = new States(units, weights, gradients, machine, new Exchange(zero.overlapCommunication(), timer))
                .of(config, this::swapping);
        this.masterWriter = new MasterWriter(units, weights, states, backend);
        this.masterReader = new ShardReader(units, machine.on(states.backend()), "master weights", states::master);
        this.gradientReader = new ShardReader(units, stack, "gradients", gradients::reduced);
        this.masters = new WholeParameters(masterReader, states.backend(), mesh.tensor());
        this.wholeGradients = new WholeParameters(gradientReader, backend, mesh.tensor());
        this.countsReplicated = mesh.isFirstOfTensorAxis();
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
                machine.world().rank());
    }

    SwapTraffic swapTraffic() {
        return swapThreads.map(SwapThreads::traffic).orElse(SwapTraffic.NONE);
    }

    /** {@return the model with each layer's weights there when it is called, and its gradients on their way after} */
    Sequential wrap(Sequential model) {
        return model.map(layer -> new UnitLayer(layer, units, weights, gradients, timeline));
    }

    /** Gives all weights their initial values, the same for any number of ranks; no rank makes more than what it owns. */
    void initialise(long seed) {
        masterWriter.initialise(seed);
        publishAll();
    }

    /** Makes the weights what the masters say, on all ranks. */
    void publishAll() {
        weights.awaitChanges();
        for (int unit = 0; unit < units.count(); unit++) {
            states.publish(unit);
            weights.ownedChanged(unit);
        }
        weights.awaitChanges();
    }

    /** Has somebody told before masters or states change, each time. */
    void watch(Runnable watcher) {
        watchers.add(watcher);
    }

    /** Ends {@link #watch}. */
    void unwatch(Runnable watcher) {
        watchers.remove(watcher);
    }

    /** Tells those who watch. */
    void aboutToChange() {
        watchers.forEach(Runnable::run);
    }

    /** Has the model compute with masters that were replaced from outside. */
    void mastersReplaced() {
        forget();
        publishAll();
    }

    /**
     * Begins a micro-batch of training.
     *
     * @param first of a step
     * @param summed whether the gradients are summed over the ranks after it
     */
    void beginTraining(List<Visit> visits, boolean first, boolean summed) {
        if (first) {
            forget();
        }
        gradients.begin(first, summed);
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

    /** {@return whether this rank counts and saves what all ranks of a tensor axis have} */
    boolean countsReplicated() {
        return countsReplicated;
    }

    UpdatedStates states() {
        return states;
    }

    /**
     * {@return what this rank counts of a unit's sum, in its shard: the same elements at every stage, so that each sums norms in one
     * order}
     */
    List<Tensor> countedOfSum(int unit) {
        long before = units.owned(unit).first();
        return units.counted(unit, countsReplicated).stream()
                .map(range -> gradients.reduced(unit).slice(range.first() - before, range.elements()))
                .toList();
    }

    /** {@return all that this rank has of a unit's gradients, where they are not summed over the ranks} */
    List<Tensor> ownGradients(int unit) {
        return List.of(gradients.reduced(unit));
    }

    @Override
    public Tensor value(Parameter parameter) {
        return weights.value(parameter);
    }

    @Override
    public Tensor gradient(Parameter parameter) {
        return gradients.gradient(parameter);
    }

    @Override
    public GradientSum gradientSum(Parameter parameter) {
        return gradients.gradientSum(parameter);
    }

    @Override
    public GradientSum wholeGradient(Parameter parameter) {
        return gradients.wholeGradient(parameter);
    }

    /** What one layer beside its own adds to is complete, but for that one's part. */
    @Override
    public void gradientDone(Parameter parameter) {
        if (units.isSharedAlone(parameter)) {
            gradients.sharersDone(units.unitOf(parameter));
        }
    }

    /** Reads the sum of a parameter's gradient over micro-batches and ranks; all ranks call it in the same order. */
    void readGradient(Parameter parameter, MemorySegment target) {
        gradients.finish();
        wholeGradients.read(parameter, target);
    }

    @Override
    public List<Parameter> parameters() {
        return units.parameters();
    }

    @Override
    public void read(Parameter parameter, MemorySegment target) {
        masters.read(parameter, target);
    }

    @Override
    public void write(Parameter parameter, MemorySegment source) {
        aboutToChange();
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
