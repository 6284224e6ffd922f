package ds.bench.breakdown;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Kernels;
import ds.api.MemoryUse;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.lang.foreign.MemorySegment;

/** Another backend whose kernels and copies are timed. It owns nothing: closing it closes nothing. */
public final class TimedBackend implements TensorBackend {
    private final TensorBackend inner;
    private final KernelTimes times;

    /**
     * Wraps a backend.
     *
     * @param inner borrowed
     * @param times gets every call
     */
    public TimedBackend(TensorBackend inner, KernelTimes times) {
        this.inner = inner;
        this.times = times;
    }

    @Override
    public String name() {
        return inner.name();
    }

    @Override
    public Device device() {
        return inner.device();
    }

    @Override
    public boolean supports(DType dtype) {
        return inner.supports(dtype);
    }

    @Override
    public Buffer allocate(long byteSize, String label) {
        return inner.allocate(byteSize, label);
    }

    @Override
    public Buffer allocateHost(long byteSize, String label) {
        return inner.allocateHost(byteSize, label);
    }

    @Override
    public MemoryUse memory() {
        return inner.memory();
    }

    @Override
    public Stream computeStream() {
        return inner.computeStream();
    }

    @Override
    public Stream openStream() {
        return inner.openStream();
    }

    @Override
    public Kernels kernels(Stream stream) {
        return new TimedKernels(this, inner.kernels(stream), times);
    }

    @Override
    public void upload(MemorySegment source, Tensor target, Stream stream) {
        timed("upload", target, stream, () -> inner.upload(source, target, stream));
    }

    @Override
    public void download(Tensor source, MemorySegment target, Stream stream) {
        timed("download", source, stream, () -> inner.download(source, target, stream));
    }

    private void timed(String name, Tensor tensor, Stream stream, Runnable copy) {
        long start = System.nanoTime();
        copy.run();
        stream.synchronize();
        times.add(
                KernelCall.elementwise(name, tensor, new Moved(tensor.byteSize(), tensor.byteSize(), 0)),
                System.nanoTime() - start);
    }

    @Override
    public void close() {}
}
