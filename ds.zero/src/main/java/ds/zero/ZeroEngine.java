package ds.zero;

import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.Rendezvous;
import ds.api.layer.Batch;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.ParameterStore;
import ds.api.layer.Pass;
import ds.api.layer.PassMemory;
import ds.api.layer.Saved;
import ds.api.layer.Sequential;
import ds.api.layer.Weights;
import ds.zero.checkpoint.Checkpointer;
import ds.zero.config.Known;
import ds.zero.config.TensorParallel;
import ds.zero.config.ZeroConfig;
import ds.zero.host.Machine;
import ds.zero.offload.SwapThreads;
import ds.zero.run.Stack;
import ds.zero.run.StepResult;
import ds.zero.run.SwapTraffic;
import ds.zero.timing.ChromeTrace;
import ds.zero.timing.PhaseEvent.Phase;
import ds.zero.timing.StepTimer;
import ds.zero.unit.Visit;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/**
 * Trains a model with ZeRO: {@link #forward}, {@link #backward}, {@link #step} for each micro-batch, or {@link #trainBatch} for
 * all of a step. All ranks make the same calls. Every {@code gradient_accumulation_steps}-th call of step updates the weights.
 *
 * {@snippet :
 * try (var engine = ZeroEngine.initialize(model, config, backend, communicator)) {
 *     for (Batch batch : batches) {
 *         engine.forward(batch);
 *         engine.backward();
 *         engine.step().ifPresent(result -> System.out.println(result.loss()));
 *     }
 * }
 * }
 */
public final class ZeroEngine implements Weights, ParameterStore, AutoCloseable {
    /** Reading ahead and writing back at once, and one more for weights. */
    private static final int SWAP_THREADS = 3;

    private final ZeroConfig config;
    private final Mesh mesh;
    private final Machine machine;
    private final Stack stack; // the machine's
    private final Optional<Stack> owned; // what close() closes beside the engine's own
    private final ModelState state;
    private final Sequential model;
    private final List<Visit> trainingVisits;
    private final List<Visit> evaluationVisits;
    private final GlobalSums sums;
    private final Update update;
    private final Pass pass;
    private final Saved saved = new Saved();
    private final StepTimer timer = new StepTimer();

    private Tensor loss;
    private int microBatch;

    private ZeroEngine(
            Sequential model,
            ZeroConfig config,
            Mesh mesh,
            Machine given,
            Optional<Stack> owned,
            Supplier<SwapThreads> swapThreads) {
        Machine machine = given.observedBy(timer);
        Stack stack = machine.stack();
        TensorBackend backend = stack.backend();
        this.config = config;
        this.mesh = mesh;
        this.machine = machine;
        this.stack = stack;
        this.owned = owned;
        this.state = new ModelState(model, config, machine, mesh, timer, swapThreads);
        this.model = config.checkpointing().apply(state.wrap(model));
        List<Layer> layers = config.checkpointing().apply(model).layers();
        this.trainingVisits = Visit.ofTraining(layers);
        this.evaluationVisits = Visit.ofEvaluation(layers);
        this.sums = new GlobalSums(new Stack(backend, machine.world()), timer);
        this.update = new Update(config, state, sums);
        this.pass = new Pass(backend, config.precision().weights(), state);
    }

    /**
     * Prepares training with the backend and the communicator that a configuration file names, on the rank that the
     * environment names (see {@link Rendezvous#fromEnvironment}); returns once all ranks have joined. The engine owns both.
     *
     * @param model whose last layer returns the loss; each of its layers is a unit of sharding
     * @param config JSON in DeepSpeed's keys
     * @return handed over
     * @throws ds.zero.config.json.ConfigException listing everything that is wrong in the file
     * @throws ds.api.spi.ProviderException if a provider is unknown or not available
     * @throws ds.api.comm.CommunicatorException if not all ranks come within the deadline
     */
    public static ZeroEngine initialize(Sequential model, Path config) {
        Rendezvous rendezvous = Rendezvous.fromEnvironment(System.getenv());
        ZeroConfig resolved =
                ZeroConfig.parse(config, Known.ofWorld(rendezvous.worldSize())).value();
        Stack stack = Stack.open(resolved.runtime(), rendezvous);
        try {
            return initialize(
                    model, resolved, Mesh.of(stack, TensorParallel.NONE), Optional.empty(), Optional.of(stack));
        } catch (RuntimeException e) {
            stack.close();
            throw e;
        }
    }

    /**
     * Prepares training: allocates what the stage needs and initialises the weights, the same for any number of ranks. Where the
     * backend is a device of its own and something is offloaded, the backend on the host that {@code ds.host_backend} names is
     * opened, and closed with the engine.
     *
     * @param model whose last layer returns the loss; each of its layers is a unit of sharding
     * @param backend borrowed for the engine's life
     * @param communicator borrowed for the engine's life; its world is the one the configuration was resolved for
     * @return handed over
     */
    public static ZeroEngine initialize(
            Sequential model, ZeroConfig config, TensorBackend backend, Communicator communicator) {
        return initialize(model, config, dataParallel(backend, communicator), Optional.empty(), Optional.empty());
    }

    /**
     * Prepares training of a model whose layers are split over the tensor axis of a mesh, or of any other.
     *
     * @param model made for {@link Mesh#tensor}
     * @param config resolved for the mesh
     * @param mesh borrowed for the engine's life
     * @return handed over
     */
    public static ZeroEngine initialize(Sequential model, ZeroConfig config, Mesh mesh) {
        return initialize(model, config, mesh, Optional.empty(), Optional.empty());
    }

    private static Mesh dataParallel(TensorBackend backend, Communicator communicator) {
        return Mesh.of(new Stack(backend, communicator), TensorParallel.NONE);
    }

    /**
     * Prepares training as {@link #initialize(Sequential, ZeroConfig, TensorBackend, Communicator)} does.
     *
     * @param host keeps and updates what is offloaded from the backend; its memory is the host's; borrowed for the engine's life
     * @return handed over
     */
    public static ZeroEngine initialize(
            Sequential model, ZeroConfig config, TensorBackend backend, TensorBackend host, Communicator communicator) {
        return initialize(model, config, dataParallel(backend, communicator), Optional.of(host), Optional.empty());
    }

    private static ZeroEngine initialize(
            Sequential model, ZeroConfig config, Mesh mesh, Optional<TensorBackend> host, Optional<Stack> owned) {
        TensorBackend backend = mesh.stack().backend();
        Communicator communicator = mesh.data();
        mesh.requireMadeFor(model, config);
        if (config.batch().worldSize() != communicator.worldSize()) {
            throw new IllegalArgumentException("rank " + communicator.rank() + ": the configuration was resolved for "
                    + config.batch().worldSize() + " ranks, the communicator has " + communicator.worldSize());
        }
        if (!backend.supports(config.precision().weights())) {
            throw new IllegalArgumentException("backend '" + backend.name() + "' has no "
                    + config.precision().weights() + "; choose another precision: bf16.enabled, fp16.enabled");
        }
        Machine machine = Machine.of(config, mesh.stack(), mesh.world(), host);
        try {
            ZeroEngine engine =
                    new ZeroEngine(model, config, mesh, machine, owned, () -> new SwapThreads(SWAP_THREADS));
            engine.state.initialise(config.runtime().seed());
            return engine;
        } catch (RuntimeException e) {
            machine.close();
            throw e;
        }
    }

    /**
     * Prepares a dry run: without initial weights, and without files where something is offloaded to files.
     *
     * @param mesh borrowed; of a backend that computes nothing, such as {@code ds.zero.plan}'s
     * @param host borrowed; such a one, for what is offloaded from a device of its own
     * @return handed over
     */
    public static ZeroEngine dryRun(Sequential model, ZeroConfig config, Mesh mesh, TensorBackend host) {
        Machine machine = Machine.of(config, mesh.stack(), mesh.world(), Optional.of(host));
        ZeroEngine engine = new ZeroEngine(model, config, mesh, machine, Optional.empty(), SwapThreads::idle);
        engine.state.publishAll();
        return engine;
    }

    /** {@return what micro-batches take at most, so far} */
    public PassMemory passMemory() {
        return pass.memory();
    }

    /**
     * Allocates, before the first micro-batch, what that would; later it does nothing. What is missing comes with the micro-batch.
     *
     * @param memory as a plan has found it ({@link ds.zero.plan.MemoryPlan#passMemory})
     */
    public void reserve(PassMemory memory) {
        pass.reserve(memory);
    }

    /**
     * Runs the model on this rank's part of a micro-batch.
     *
     * @return the loss: F32, one element, valid until the next micro-batch; reading it waits for the device
     */
    public Tensor forward(Batch batch) {
        if (loss != null) {
            throw new IllegalStateException(
                    "forward() twice without backward() between; evaluate() is for losses alone");
        }
        return timer.phase(Phase.FORWARD, () -> run(batch));
    }

    private Tensor run(Batch batch) {
        boolean first = microBatch == 0;
        if (first) {
            sums.clear();
        }
        boolean summed = isGradientAccumulationBoundary() && !update.takesOwnGradients();
        state.beginTraining(trainingVisits, first, summed);
        saved.clear();
        pass.beginTraining(batch, config.runtime().seed(), update.steps() + 1, update.lossScale());
        loss = model.forward(pass, batch.inputs(), saved);
        if (mesh.isFirstOfTensorAxis()) {
            sums.addLoss(loss);
        }
        return loss;
    }

    /** Computes the gradients of the last {@link #forward}; they travel as soon as the stage and the unit are ready. */
    public void backward() {
        if (loss == null) {
            throw new IllegalStateException("backward() without forward() before it");
        }
        timer.phase(Phase.BACKWARD, () -> model.backward(pass, pass.lossGradient(), saved));
        loss = null;
    }

    /** {@return whether the micro-batch under way is the last of its step} */
    public boolean isGradientAccumulationBoundary() {
        return microBatch == config.batch().gradientAccumulationSteps() - 1;
    }

    /**
     * Ends a micro-batch; after the last one of a step it updates the weights.
     *
     * @return what the step did, if it was one
     */
    public Optional<StepResult> step() {
        if (loss != null) {
            throw new IllegalStateException("step() without backward() before it");
        }
        if (!isGradientAccumulationBoundary()) {
            microBatch++;
            return Optional.empty();
        }
        microBatch = 0;
        StepResult result = timer.phase(Phase.UPDATE, update::run);
        return Optional.of(result.with(timer.stepDone()));
    }

    /**
     * Runs one whole step.
     *
     * @param microBatches gives this rank's part of micro-batch i, 0 to gradient_accumulation_steps − 1
     */
    public StepResult trainBatch(IntFunction<Batch> microBatches) {
        Optional<StepResult> result = Optional.empty();
        for (int i = microBatch; result.isEmpty(); i++) {
            forward(microBatches.apply(i));
            backward();
            result = step();
        }
        return result.get();
    }

    /** {@return this rank's loss on a batch, without dropout and gradients; waits for the device} */
    public double evaluate(Batch batch) {
        Tensor result = predict(batch);
        sums.clear();
        sums.addLoss(result);
        return sums.localLoss();
    }

    /**
     * {@return what the last layer returns, without dropout and gradients: a prediction such as logits for a batch without
     * targets; valid until the next micro-batch}
     */
    public Tensor predict(Batch batch) {
        if (loss != null || microBatch != 0) {
            throw new IllegalStateException("evaluation between the micro-batches of a step; finish the step first");
        }
        saved.clear();
        state.beginEvaluation(evaluationVisits);
        pass.beginEvaluation(batch);
        return model.forward(pass, batch.inputs(), saved);
    }

    /**
     * Reads the gradient of a parameter: mean over micro-batches and ranks, before clipping. All ranks call it in the same order,
     * between the last {@link #backward} of a step and its {@link #step}.
     *
     * @param target F32, as many elements as the whole parameter has; overwritten
     */
    public void readGradient(Parameter parameter, MemorySegment target) {
        if (loss != null || !isGradientAccumulationBoundary()) {
            throw new IllegalStateException(
                    "readGradient() is for after the last backward() of a step and before step()");
        }
        if (update.takesOwnGradients()) {
            throw new IllegalStateException("readGradient(" + parameter.name() + "): update " + (update.updates() + 1)
                    + " of optimizer.type = " + config.optimizer().type()
                    + " exchanges momenta, and no rank has the mean gradient; read it while the optimizer warms up");
        }
        state.readGradient(parameter, target);
        float mean = (float) (1.0 / update.divisor());
        for (long i = 0; i < parameter.whole().elements(); i++) {
            target.setAtIndex(ValueLayout.JAVA_FLOAT, i, mean * target.getAtIndex(ValueLayout.JAVA_FLOAT, i));
        }
    }

    /** Waits until the weights of the last step are here: after it this rank neither sends nor receives until it is called again. */
    public void awaitWeights() {
        state.weights().awaitChanges();
    }

    /** {@return the sum over all ranks of one number from each; all ranks call it} */
    public double sumOverRanks(double value) {
        return sums.sumOverRanks(value);
    }

    /**
     * Begins saving and restoring this training; all ranks call it. What a killed run has left half written is removed.
     *
     * @return handed over; to be closed before the engine
     * @throws ds.zero.checkpoint.CheckpointException if the folder is in use by another run, or cannot be written
     */
    public TrainingCheckpoints checkpoints(Checkpointer.Settings settings) {
        return checkpoints(Checkpointer.open(settings, stack.backend(), machine.world()));
    }

    TrainingCheckpoints checkpoints(Checkpointer checkpointer) {
        return new TrainingCheckpoints(
                this, config, update, new OwnedPieces(state, stack.communicator()), checkpointer);
    }

    /**
     * {@return what saving takes in memory on this rank}
     *
     * @param asynchronous whether what is saved is copied first
     */
    public long checkpointBytes(boolean asynchronous) {
        return Checkpointer.memoryBytes(
                worldSize(), new OwnedPieces(state, stack.communicator()).toSave(Long.MAX_VALUE), asynchronous);
    }

    /** Begins to keep a timeline of this rank: phases, layers, waits and collectives. Without it nothing is kept. */
    public void startTimeline() {
        timer.timeline().start();
    }

    /**
     * Writes what all ranks have kept since {@link #startTimeline} in the format of chrome://tracing, by one clock; all ranks call
     * it, rank 0 writes.
     *
     * @param file replaced
     */
    public void writeTimeline(Path file) {
        awaitWeights();
        timer.flush();
        new ChromeTrace(stack.backend(), machine.world()).write(timer.timeline(), file);
    }

    /** Refuses what has no meaning in the middle of a step. */
    void requireBetweenSteps(String call) {
        if (loss != null || microBatch != 0) {
            throw new IllegalStateException(
                    call + " between the micro-batches of a step: gradients are not saved; finish the step first");
        }
    }

    /** {@return the device that computes; borrowed, as long as the engine lives} */
    public TensorBackend backend() {
        return stack.backend();
    }

    /** {@return this rank, 0 to worldSize − 1} */
    public int rank() {
        return machine.world().rank();
    }

    /** {@return how many ranks train} */
    public int worldSize() {
        return machine.world().worldSize();
    }

    /** {@return this rank's number among those to which the batch is dealt} */
    public int dataParallelRank() {
        return stack.communicator().rank();
    }

    /** {@return to how many ranks the batch is dealt: all of them, divided by those that share a model} */
    public int dataParallelSize() {
        return stack.communicator().worldSize();
    }

    /** {@return whether this rank is the first of those that share a model: what these have alike is counted here} */
    public boolean isFirstOfTensorAxis() {
        return mesh.isFirstOfTensorAxis();
    }

    /** {@return how many sequences each micro-batch of this rank has: {@code train_micro_batch_size_per_gpu}} */
    public int microBatchSize() {
        return config.batch().microBatchSize();
    }

    /** {@return how many parameters the model has: the paper's Ψ} */
    public long parameterElements() {
        return state.parameters().stream().mapToLong(p -> p.whole().elements()).sum();
    }

    /** {@return what this rank has read from and written to files of offloaded states, since the engine was made} */
    public SwapTraffic swapTraffic() {
        return state.swapTraffic();
    }

    @Override
    public List<Parameter> parameters() {
        return state.parameters();
    }

    @Override
    public Tensor value(Parameter parameter) {
        return state.value(parameter);
    }

    @Override
    public Tensor gradient(Parameter parameter) {
        return state.gradient(parameter);
    }

    /** Reads the F32 weights of a parameter; all ranks call it in the same order. */
    @Override
    public void read(Parameter parameter, MemorySegment target) {
        state.read(parameter, target);
    }

    /** Replaces the weights of a parameter; every rank calls it with the same values. Optimizer states stay as they are. */
    @Override
    public void write(Parameter parameter, MemorySegment source) {
        state.write(parameter, source);
    }

    @Override
    public void close() {
        pass.close();
        sums.close();
        state.close();
        machine.close();
        owned.ifPresent(Stack::close);
    }
}
