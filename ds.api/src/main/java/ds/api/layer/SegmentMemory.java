package ds.api.layer;

import ds.api.DType;
import ds.api.Event;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.util.Optional;

/**
 * Memory of the segments that are computed twice ({@link RecomputedLayer}), of which one runs at a time: what its layers keep,
 * given back when it ends, and the inputs that wait in host memory. Nothing is allocated where no segment runs.
 */
final class SegmentMemory implements AutoCloseable {
    private final TensorBackend backend;
    private final Kernels kernels;
    private final StepArena outside;
    private final StepArena inside;
    private final StepArena host;
    private final Saved saved = new Saved();

    private Optional<Stream> copies = Optional.empty();
    private Event lastCopy = Event.DONE;
    private Optional<Tensor> replaceable =
            Optional.empty(); // output of a segment that is needed as the next one's input alone
    private boolean running;

    /**
     * Allocates nothing yet.
     *
     * @param outside what segments return lives here
     */
    SegmentMemory(TensorBackend backend, StepArena outside) {
        this.backend = backend;
        this.kernels = backend.kernels(backend.computeStream());
        this.outside = outside;
        this.inside = new StepArena(backend, "recomputed");
        this.host = StepArena.onHost(backend, "offloadedActivations");
    }

    /** Begins a micro-batch. */
    void reset() {
        backend.computeStream().await(lastCopy); // of a forward pass that no backward pass followed
        inside.reset();
        host.reset();
        saved.clear();
        replaceable = Optional.empty();
        running = false;
    }

    /** {@return whether a segment runs: what is kept now is kept until its end} */
    boolean running() {
        return running;
    }

    Tensor take(DType dtype, Shape shape) {
        return inside.take(dtype, shape);
    }

    /** {@return the stack of the segment that runs} */
    Saved saved() {
        return saved;
    }

    /**
     * Begins a segment.
     *
     * @return a copy of its input, which its first layer may overwrite
     */
    Tensor enter(Tensor x) {
        Tensor copy = begin(x);
        kernels.copy(x, copy);
        return copy;
    }

    /**
     * Begins a segment again.
     *
     * @return its input, from {@link #keepOnHost}
     */
    Tensor enterFromHost(Tensor kept) {
        Tensor copy = begin(kept);
        backend.computeStream().await(lastCopy); // copies are made in order: this one is done by then, too
        backend.upload(kept, copy, backend.computeStream());
        return copy;
    }

    private Tensor begin(Tensor x) {
        if (running) {
            throw new IllegalStateException("a recomputed segment begins inside of another one, with input " + x
                    + "; wrap each layer of a model once");
        }
        running = true;
        saved.clear();
        return inside.take(x.dtype(), x.shape());
    }

    /**
     * Copies a tensor to host memory beside what is computed from now on.
     *
     * @return where it is
     */
    Tensor keepOnHost(Tensor x) {
        Stream stream = copies.orElseGet(backend::openStream);
        copies = Optional.of(stream);
        Tensor kept = host.take(x.dtype(), x.shape());
        stream.await(backend.computeStream().record());
        backend.download(x, kept, stream);
        lastCopy = stream.record();
        return kept;
    }

    /**
     * Ends a forward pass whose input stays where it is.
     *
     * @return the output, which lives as long as the micro-batch
     */
    Tensor leave(Tensor y) {
        Tensor result = outside.take(y.dtype(), y.shape());
        kernels.copy(y, result);
        end();
        return result;
    }

    /**
     * Ends a forward pass whose input is not needed any more.
     *
     * @return the output, in the input's place if it fits there
     */
    Tensor leaveInto(Tensor x, Tensor y) {
        boolean fits = replaceable.filter(output -> output == x).isPresent() && fits(y, x);
        Tensor result = fits ? x : outside.take(y.dtype(), y.shape());
        backend.computeStream().await(lastCopy); // the input may still be on its way to the host
        kernels.copy(y, result);
        end();
        replaceable = Optional.of(result);
        return result;
    }

    /**
     * Ends a backward pass.
     *
     * @return the gradient of the input, in the place of the output's if it fits there
     */
    Tensor leaveBackward(Tensor dy, Tensor dx) {
        Tensor result = dx;
        if (inside.holds(dx)) {
            result = fits(dx, dy) ? dy : outside.take(dx.dtype(), dx.shape());
            kernels.copy(dx, result);
        }
        end();
        return result;
    }

    private static boolean fits(Tensor from, Tensor to) {
        return from.dtype() == to.dtype() && from.shape().equals(to.shape());
    }

    private void end() {
        inside.release(0);
        saved.clear();
        running = false;
    }

    @Override
    public void close() {
        copies.ifPresent(Stream::close);
        inside.close();
        host.close();
    }
}
