package ds.bench.breakdown;

import ds.api.Buffer;
import ds.api.CoreKernels.Reduction;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.bench.measure.Statistics;
import java.util.stream.DoubleStream;

/**
 * The memory of a device of its own, by the backend's own elementwise kernels: its copy, fill, sum, and update in place. A kernel of which
 * nothing is asked but to move bytes is the best loop that can be had there without another language.
 */
final class DeviceBandwidth {
    private static final long MOST_BYTES = 1L << 30;
    private static final long LEAST_BYTES = 1L << 20;
    private static final double LONG_ENOUGH_SECONDS = 5e-4; // beside some microseconds of launching and waiting
    private static final int RUNS = 7;
    private static final int COLUMNS = 1 << 14;
    private static final String LABEL = "memoryBandwidth";

    private final Kernels kernels;

    private DeviceBandwidth(Kernels kernels) {
        this.kernels = kernels;
    }

    /** {@return what the device does, over arrays of 1 GiB, or of what it copies in half a millisecond if that is less} */
    static MemoryBandwidth measure(TensorBackend backend) {
        DeviceBandwidth device = new DeviceBandwidth(backend.kernels(backend.computeStream()));
        for (long bytes = LEAST_BYTES; ; bytes *= 2) {
            try (Buffer a = backend.allocate(bytes, LABEL);
                    Buffer b = backend.allocate(bytes, LABEL)) {
                Shape shape = Shape.of(bytes / Float.BYTES / COLUMNS, COLUMNS);
                Tensor x = new Tensor(a, DType.F32, shape);
                Tensor y = new Tensor(b, DType.F32, shape);
                double seconds = device.seconds(() -> device.kernels.copy(x, y));
                if (seconds >= LONG_ENOUGH_SECONDS || 2 * bytes > MOST_BYTES) {
                    return device.measure(backend, x, y, 2 * bytes / seconds);
                }
            }
        }
    }

    private MemoryBandwidth measure(TensorBackend backend, Tensor x, Tensor y, double copy) {
        double bytes = x.byteSize();
        try (Buffer square = backend.allocate(Double.BYTES, LABEL);
                Buffer rows = backend.allocate(x.shape().rows() * Float.BYTES, LABEL)) {
            Tensor sum = new Tensor(square, DType.F64, Shape.of(1));
            Tensor sums = new Tensor(rows, DType.F32, Shape.of(x.shape().rows()));
            double read = Math.max(
                    bytes / seconds(() -> kernels.sumOfSquares(x, sum)),
                    bytes / seconds(() -> kernels.reduceRows(Reduction.SUM, x, sums)));
            double write = bytes / seconds(() -> kernels.fill(x, 1));
            double update = 2 * bytes / seconds(() -> kernels.axpby(0.5, y, 0, y));
            return new MemoryBandwidth(read, write, copy, update);
        }
    }

    private double seconds(Runnable kernel) {
        for (int i = 0; i < 2; i++) { // compiles it
            kernel.run();
            kernels.stream().synchronize();
        }
        return Statistics.median(DoubleStream.generate(() -> {
                    long start = System.nanoTime();
                    kernel.run();
                    kernels.stream().synchronize();
                    return (System.nanoTime() - start) * 1e-9;
                })
                .limit(RUNS)
                .toArray());
    }

    /** {@return what a call of a kernel and the wait for it take at least: by so much every time of this device is too long} */
    static double callSeconds(TensorBackend backend) {
        try (Buffer one = backend.allocate(Float.BYTES, LABEL)) {
            DeviceBandwidth device = new DeviceBandwidth(backend.kernels(backend.computeStream()));
            Tensor number = new Tensor(one, DType.F32, Shape.of(1));
            return DoubleStream.generate(() -> device.seconds(() -> device.kernels.axpby(1, number, 0, number)))
                    .limit(3)
                    .min()
                    .orElseThrow();
        }
    }
}
