package ds.api.layer;

import ds.api.Attention;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Dropout;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;

/**
 * One micro-batch on its way through the layers and back: the kernels to compute with, the weights as they are now, memory for
 * activations and temporaries, and the key of its random numbers. Made once and used for every micro-batch; owns its memory.
 */
public final class Pass implements AutoCloseable {
    private final Kernels kernels;
    private final DType dtype;
    private final Weights weights;
    private final StepArena activations;
    private final StepArena scratch;
    private final SegmentMemory segments;
    private final Tensor lossGradient;

    private Batch batch;
    private boolean training;
    private long seed;
    private long step;
    private double lossScale;

    /**
     * Prepares for any number of micro-batches on the backend's compute stream.
     *
     * @param dtype in which activations are kept
     */
    public Pass(TensorBackend backend, DType dtype, Weights weights) {
        this.kernels = backend.kernels(backend.computeStream());
        this.dtype = dtype;
        this.weights = weights;
        this.activations = new StepArena(backend, "activations");
        this.scratch = new StepArena(backend, "scratch");
        this.segments = new SegmentMemory(backend, activations);
        this.lossGradient = backend.allocate(DType.F32, Shape.of(1), "scratch");
    }

    /** {@return the most that a micro-batch has taken so far} */
    public PassMemory memory() {
        return new PassMemory(activations.highest(), scratch.highest());
    }

    /**
     * Allocates what micro-batches will take, before the first one; later it does nothing. Without it the first one allocates bit by
     * bit, and the second one again, in one piece.
     *
     * @param memory of another pass, which has had such a micro-batch
     */
    public void reserve(PassMemory memory) {
        activations.reserve(memory.activationBytes());
        scratch.reserve(memory.scratchBytes());
    }

    /**
     * Begins a micro-batch of training; what an earlier one kept is gone.
     *
     * @param seed of the run
     * @param step of the run, counted from 1
     * @param lossGradient with which the loss is multiplied before it is differentiated: a loss scale, or 1
     */
    public void beginTraining(Batch batch, long seed, long step, double lossGradient) {
        begin(batch, true);
        this.seed = seed;
        this.step = step;
        kernels.fill(this.lossGradient, lossGradient);
        this.lossScale = lossGradient;
    }

    /** Begins a micro-batch of evaluation: no dropout, no gradients. */
    public void beginEvaluation(Batch batch) {
        begin(batch, false);
        this.lossScale = 0;
    }

    private void begin(Batch batch, boolean training) {
        segments.reset();
        activations.reset();
        scratch.reset();
        this.batch = batch;
        this.training = training;
    }

    /** {@return the operations, on the compute stream} */
    public Kernels kernels() {
        return kernels;
    }

    /** {@return the type of activations and weights} */
    public DType dtype() {
        return dtype;
    }

    /** {@return the micro-batch} */
    public Batch batch() {
        return batch;
    }

    /** {@return whether gradients are wanted and dropout is on} */
    public boolean training() {
        return training;
    }

    /** {@return what the gradient of the whole model starts from: F32, one element} */
    public Tensor lossGradient() {
        return lossGradient;
    }

    /** {@return the value of {@link #lossGradient}; 0 in evaluation} */
    public double lossScale() {
        return lossScale;
    }

    /** {@return the values of a parameter, in {@link #dtype}} */
    public Tensor weight(Parameter parameter) {
        return weights.value(parameter);
    }

    /** {@return where to add a parameter's gradient, in F32} */
    public Tensor gradient(Parameter parameter) {
        return weights.gradient(parameter);
    }

    /** {@return where to write or add a contribution to a parameter's gradient; see {@link Weights#gradientSum}} */
    public GradientSum gradientSum(Parameter parameter) {
        return weights.gradientSum(parameter);
    }

    /** {@return where to write a parameter's whole gradient of this micro-batch; see {@link Weights#wholeGradient}} */
    public GradientSum wholeGradient(Parameter parameter) {
        return weights.wholeGradient(parameter);
    }

    /**
     * Says that the layer that is called adds no more to a gradient in this micro-batch, though it has not returned. Nobody needs to
     * say so: what a layer has added is complete when its backward pass returns.
     */
    public void gradientDone(Parameter parameter) {
        weights.gradientDone(parameter);
    }

    /**
     * {@return memory that lives until the next micro-batch begins, or, inside a {@link RecomputedLayer}, as long as the layers
     * in it need; its contents are undefined}
     */
    public Tensor keep(DType dtype, long... dims) {
        Shape shape = Shape.of(dims);
        return segments.running() ? segments.take(dtype, shape) : activations.take(dtype, shape);
    }

    /** {@return memory in {@link #dtype}; see {@link #keep(DType, long...)}} */
    public Tensor keep(long... dims) {
        return keep(dtype, dims);
    }

    /** {@return where segments that are recomputed keep what they need while they run} */
    SegmentMemory segmentMemory() {
        return segments;
    }

    /**
     * {@return memory for use inside one call of a layer; its contents are undefined. A layer takes a {@link #mark} when it
     * begins and gives it to {@link #release} when it ends}
     */
    public Tensor scratch(DType dtype, long... dims) {
        return scratch.take(dtype, Shape.of(dims));
    }

    /** {@return scratch memory in {@link #dtype}} */
    public Tensor scratch(long... dims) {
        return scratch(dtype, dims);
    }

    /** {@return how much scratch memory is taken} */
    public long mark() {
        return scratch.mark();
    }

    /** Gives back the scratch memory taken since {@code mark}. */
    public void release(long mark) {
        scratch.release(mark);
    }

    /**
     * {@return the dropout of one place in the model for this micro-batch; none in evaluation}
     *
     * @param rate in [0, 1)
     * @param site which place, different for every one in the model
     * @param elementsPerSequence how many elements of the tensor belong to one sequence: B = elements / elementsPerSequence
     */
    public Dropout dropout(double rate, long site, long elementsPerSequence) {
        if (!training || rate == 0) {
            return Dropout.NONE;
        }
        long key = CounterRandom.key(seed, step, site);
        return new Dropout((float) rate, new CounterRandom(key, batch.firstSequence() * elementsPerSequence));
    }

    /** {@return attention with the dropout of one place in the model; see {@link #dropout}} */
    public Attention attention(int heads, double rate, long site) {
        long time = batch.inputs().shape().columns();
        return new Attention(heads, dropout(rate, site, heads * time * time));
    }

    @Override
    public void close() {
        activations.close();
        scratch.close();
        segments.close();
        lossGradient.buffer().close();
    }
}
