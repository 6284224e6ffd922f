package ds.api;

import ds.api.spi.HostBuffer;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A device that allocates and copies, and computes nothing but {@code fill} and an equal-typed {@code copy}. */
public final class HostBackend implements TensorBackend {
    /** Byte sizes asked for, in order. */
    public final List<Long> allocations = new ArrayList<>();

    private long liveBytes;

    /** Opens it. */
    public HostBackend() {}

    @Override
    public String name() {
        return "host";
    }

    @Override
    public Device device() {
        return Device.HOST;
    }

    @Override
    public boolean supports(DType dtype) {
        return true;
    }

    @Override
    public Buffer allocate(long byteSize, String label) {
        allocations.add(byteSize);
        liveBytes += byteSize;
        return new HostBuffer(arena -> arena.allocate(byteSize, 64), label, closed -> liveBytes -= closed.byteSize());
    }

    @Override
    public Buffer allocateHost(long byteSize, String label) {
        return allocate(byteSize, label);
    }

    @Override
    public MemoryUse memory() {
        return new MemoryUse(Map.of(), liveBytes, liveBytes);
    }

    @Override
    public Stream computeStream() {
        return new Stream() {
            @Override
            public Event record() {
                return Event.DONE;
            }

            @Override
            public void await(Event event) {}

            @Override
            public void synchronize() {}

            @Override
            public void close() {}
        };
    }

    @Override
    public Stream openStream() {
        return computeStream();
    }

    @Override
    public Kernels kernels(Stream stream) {
        return (Kernels) java.lang.reflect.Proxy.newProxyInstance(
                HostBackend.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, arguments) -> {
                    switch (method.getName()) {
                        case "fill" -> fill((Tensor) arguments[0], (double) arguments[1]);
                        case "copy" -> ((Tensor) arguments[1]).host().copyFrom(((Tensor) arguments[0]).host());
                        default -> throw new AssertionError("these tests compute no " + method.getName());
                    }
                    return null;
                });
    }

    private static void fill(Tensor y, double value) {
        for (long i = 0; i < y.elements(); i++) {
            y.host().setAtIndex(java.lang.foreign.ValueLayout.JAVA_FLOAT, i, (float) value);
        }
    }

    @Override
    public void upload(MemorySegment source, Tensor target, Stream stream) {
        target.host().copyFrom(source);
    }

    @Override
    public void download(Tensor source, MemorySegment target, Stream stream) {
        target.copyFrom(source.host());
    }

    @Override
    public void close() {}
}
