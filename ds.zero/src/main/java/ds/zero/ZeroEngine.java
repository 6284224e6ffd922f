package ds.zero;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Rendezvous;
import ds.api.layer.Batch;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.ParameterStore;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import ds.api.layer.Sequential;
import ds.api.layer.Weights;
import ds.api.spi.Optimizer;
import ds.zero.config.Known;
import ds.zero.config.Precision;
import ds.zero.config.ZeroConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;

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
    private final Sequential model;
    private final ZeroConfig config;
    private final Optional<Stack> owned; // what close() closes beside the engine's own
    private final TensorBackend backend;
    private final Communicator communicator;
    private final Kernels kernels;
    private final Units units;
    private final InFlight reductions;
    private final InFlight gathers;
    private final GradientStage gradients;
    private final OwnedStates states;
    private final MasterWriter masterWriter;
    private final ShardReader masterReader;
    private final ShardReader gradientReader;
    private final Pass pass;
    private final Saved saved = new Saved();
    private final Tensor sums; // F64: squared norm, loss
    private final Arena arena = Arena.ofShared();
    private final MemorySegment host = arena.allocate(2 * Double.BYTES, 64);

    private Tensor loss;
    private int microBatch;
    private long steps;
    private long updates;
    private long forwardNanos;
    private long backwardNanos;

    private ZeroEngine(Sequential model, ZeroConfig config, Stack stack, Optional<Stack> owned) {
        DType dtype = config.precision().weights();
        this.config = config;
        this.owned = owned;
        this.backend = stack.backend();
        this.communicator = stack.communicator();
        this.kernels = backend.kernels(backend.computeStream());
        this.units = new Units(model, communicator.worldSize(), backend, dtype);
        boolean overlap = config.zero().overlapCommunication();
        this.reductions =
                new InFlight(units, backend.computeStream(), config.zero().reduceBucketElements(), overlap);
        this.gathers =
                new InFlight(units, backend.computeStream(), config.zero().allgatherBucketElements(), true);
        this.gradients = switch (config.zero().stage()) {
            case DISABLED -> new AllReducedGradients(units, backend, communicator, reductions);
            case OPTIMIZER_STATES -> new ReduceScatteredGradients(units, backend, communicator, reductions);
            case GRADIENTS -> new ShardedGradients(units, backend, communicator, reductions);
        };
        this.states = new OwnedStates(units, gradients, backend, Optimizers.of(config.optimizer()));
        this.masterWriter = new MasterWriter(units, gradients, states, backend);
        this.masterReader = new ShardReader(units, backend, communicator, "master weights", states::master);
        this.gradientReader = new ShardReader(units, backend, communicator, "gradients", gradients::reduced);
        this.model = model.map(this::reportWhenDone);
        this.pass = new Pass(backend, dtype, this);
        this.sums = backend.allocate(DType.F64, Shape.of(2), "scratch");
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
            return initialize(model, resolved, stack, Optional.of(stack));
        } catch (RuntimeException e) {
            stack.close();
            throw e;
        }
    }

    /**
     * Prepares training: allocates what the stage needs and initialises the weights, the same for any number of ranks.
     *
     * @param model whose last layer returns the loss; each of its layers is a unit of sharding
     * @param backend borrowed for the engine's life
     * @param communicator borrowed for the engine's life; its world is the one the configuration was resolved for
     * @return handed over
     */
    public static ZeroEngine initialize(
            Sequential model, ZeroConfig config, TensorBackend backend, Communicator communicator) {
        return initialize(model, config, new Stack(backend, communicator), Optional.empty());
    }

    private static ZeroEngine initialize(Sequential model, ZeroConfig config, Stack stack, Optional<Stack> owned) {
        TensorBackend backend = stack.backend();
        Communicator communicator = stack.communicator();
        if (config.batch().worldSize() != communicator.worldSize()) {
            throw new IllegalArgumentException("rank " + communicator.rank() + ": the configuration was resolved for "
                    + config.batch().worldSize() + " ranks, the communicator has " + communicator.worldSize());
        }
        if (!communicator.accepts(backend.device())) {
            throw new IllegalArgumentException(
                    "rank " + communicator.rank() + ": the communicator does not reach memory of " + backend.device()
                            + ", where backend '" + backend.name() + "' keeps its tensors; choose one that does");
        }
        if (!backend.supports(config.precision().weights())) {
            throw new IllegalArgumentException("backend '" + backend.name() + "' has no "
                    + config.precision().weights() + "; switch bf16.enabled off");
        }
        ZeroEngine engine = new ZeroEngine(model, config, stack, owned);
        engine.masterWriter.initialise(config.runtime().seed());
        engine.gather();
        return engine;
    }

    private Layer reportWhenDone(Layer layer) {
        int unit = units.unitOf(layer);
        return unit < 0 ? layer : new ReducedLayer(layer, unit, gradients);
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
        long start = System.nanoTime();
        boolean first = microBatch == 0;
        if (first) {
            kernels.fill(sums, 0);
            masterReader.forget();
            gradientReader.forget();
        }
        gradients.begin(first, isGradientAccumulationBoundary());
        saved.clear();
        pass.beginTraining(batch, config.runtime().seed(), steps + 1, 1);
        loss = model.forward(pass, batch.inputs(), saved);
        kernels.axpby(1, loss, 1, sums.slice(1, 1));
        forwardNanos += System.nanoTime() - start;
        return loss;
    }

    /** Computes the gradients of the last {@link #forward}; they travel as soon as the stage and the unit are ready. */
    public void backward() {
        if (loss == null) {
            throw new IllegalStateException("backward() without forward() before it");
        }
        long start = System.nanoTime();
        model.backward(pass, pass.lossGradient(), saved);
        loss = null;
        backwardNanos += System.nanoTime() - start;
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
        return Optional.of(update());
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

    /** Norm, clipping, update, gather: the second half of a step, top to bottom. */
    private StepResult update() {
        gradients.finish();
        long exposedInBackward = reductions.takeWaitNanos();
        long start = System.nanoTime();
        for (int unit = 0; unit < units.count(); unit++) {
            kernels.sumOfSquares(ownShardOfSum(unit), sums.slice(0, 1));
        }
        communicator.allReduce(sums, ReduceOp.SUM, call("norm and loss")).await(backend.computeStream());
        backend.download(sums, host, backend.computeStream());
        backend.computeStream().synchronize(); // the one wait of the host in a step
        double norm = Math.sqrt(host.getAtIndex(ValueLayout.JAVA_DOUBLE, 0)) / averagedOver();
        double meanLoss = host.getAtIndex(ValueLayout.JAVA_DOUBLE, 1) / averagedOver();
        double learningRate = config.schedule().at(updates);
        boolean skipped = !Double.isFinite(norm) && overflowSkips();
        steps++;
        if (!skipped) {
            updates++;
            double clip = config.gradientClipping();
            double factor = clip > 0 ? Math.min(1, clip / (norm + 1e-6)) : 1;
            Optimizer.Step step = new Optimizer.Step(
                    updates, learningRate, config.optimizer().weightDecay(), factor / averagedOver());
            for (int unit = 0; unit < units.count(); unit++) {
                states.update(unit, step);
                gatherUnit(unit);
            }
            gathers.awaitAll();
            backend.computeStream().synchronize();
        }
        long exposedInUpdate = gathers.takeWaitNanos();
        StepResult.Timing timing = new StepResult.Timing(
                forwardNanos,
                Math.max(0, backwardNanos - exposedInBackward),
                exposedInBackward + exposedInUpdate,
                System.nanoTime() - start - exposedInUpdate);
        forwardNanos = 0;
        backwardNanos = 0;
        return new StepResult(steps, meanLoss, norm, learningRate, skipped, timing);
    }

    /** The same elements at every stage, so that every stage sums the norm in the same order. */
    private Tensor ownShardOfSum(int unit) {
        UnitLayout.Range shard = units.layout(unit).shard(communicator.rank());
        return gradients
                .reduced(unit)
                .slice(shard.first() - gradients.owned(unit).first(), shard.elements());
    }

    private boolean overflowSkips() {
        return switch (config.precision()) {
            case Precision.F32() -> true;
            case Precision.Bf16(boolean check) -> check;
        };
    }

    private void gather() {
        for (int unit = 0; unit < units.count(); unit++) {
            gatherUnit(unit);
        }
        gathers.awaitAll();
    }

    /** From stage 1 on: puts the shards that their owners updated side by side on every rank. */
    private void gatherUnit(int unit) {
        UnitLayout.Range owned = gradients.owned(unit);
        Tensor weights = units.weights(unit);
        if (owned.elements() < weights.elements()) {
            Tensor shard = weights.slice(owned.first(), owned.elements());
            gathers.add(communicator.allGather(shard, weights, gathers.call("weights", unit)), weights.elements());
        }
    }

    private Call call(String label) {
        return new Call(label, backend.computeStream().record());
    }

    /** {@return this rank's loss on a batch, without dropout and gradients; waits for the device} */
    public double evaluate(Batch batch) {
        Tensor result = predict(batch);
        MemorySegment value = host.asSlice(0, Float.BYTES);
        backend.download(result, value, backend.computeStream());
        backend.computeStream().synchronize();
        return value.get(ValueLayout.JAVA_FLOAT, 0);
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
        pass.beginEvaluation(batch);
        return model.forward(pass, batch.inputs(), saved);
    }

    /**
     * Reads the gradient of a parameter: mean over micro-batches and ranks, before clipping. All ranks call it in the same order,
     * between the last {@link #backward} of a step and its {@link #step}.
     *
     * @param target F32, as many elements as the parameter has; overwritten
     */
    public void readGradient(Parameter parameter, MemorySegment target) {
        if (loss != null || !isGradientAccumulationBoundary()) {
            throw new IllegalStateException(
                    "readGradient() is for after the last backward() of a step and before step()");
        }
        gradients.finish();
        gradientReader.read(parameter, target);
        float mean = (float) (1.0 / averagedOver());
        for (long i = 0; i < parameter.elements(); i++) {
            target.setAtIndex(ValueLayout.JAVA_FLOAT, i, mean * target.getAtIndex(ValueLayout.JAVA_FLOAT, i));
        }
    }

    /** Over how many micro-batches of all ranks losses and gradients are sums. */
    private double averagedOver() {
        return (double) communicator.worldSize() * config.batch().gradientAccumulationSteps();
    }

    /** {@return the sum over all ranks of one number from each; all ranks call it} */
    public double sumOverRanks(double value) {
        host.setAtIndex(ValueLayout.JAVA_DOUBLE, 0, value);
        host.setAtIndex(ValueLayout.JAVA_DOUBLE, 1, 0);
        backend.upload(host, sums, backend.computeStream());
        communicator.allReduce(sums, ReduceOp.SUM, call("sum over ranks")).await(backend.computeStream());
        backend.download(sums, host, backend.computeStream());
        backend.computeStream().synchronize();
        return host.getAtIndex(ValueLayout.JAVA_DOUBLE, 0);
    }

    /** {@return the device that computes; borrowed, as long as the engine lives} */
    public TensorBackend backend() {
        return backend;
    }

    /** {@return this rank, 0 to worldSize − 1} */
    public int rank() {
        return communicator.rank();
    }

    /** {@return how many ranks train} */
    public int worldSize() {
        return communicator.worldSize();
    }

    /** {@return how many sequences each micro-batch of this rank has: {@code train_micro_batch_size_per_gpu}} */
    public int microBatchSize() {
        return config.batch().microBatchSize();
    }

    /** {@return how many parameters the model has: the paper's Ψ} */
    public long parameterElements() {
        return units.elements();
    }

    @Override
    public List<Parameter> parameters() {
        return units.parameters();
    }

    @Override
    public Tensor value(Parameter parameter) {
        return units.value(parameter);
    }

    @Override
    public Tensor gradient(Parameter parameter) {
        return gradients.gradient(parameter);
    }

    /** Reads the F32 weights of a parameter; all ranks call it in the same order. */
    @Override
    public void read(Parameter parameter, MemorySegment target) {
        masterReader.read(parameter, target);
    }

    /** Replaces the weights of a parameter; every rank calls it with the same values. Optimizer states stay as they are. */
    @Override
    public void write(Parameter parameter, MemorySegment source) {
        masterReader.forget();
        masterWriter.write(parameter, source);
    }

    @Override
    public void close() {
        pass.close();
        masterReader.forget();
        gradientReader.forget();
        states.close();
        gradients.close();
        units.close();
        sums.buffer().close();
        arena.close();
        owned.ifPresent(Stack::close);
    }
}
