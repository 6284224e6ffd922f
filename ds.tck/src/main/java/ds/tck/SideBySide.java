package ds.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import ds.api.Buffer;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Initializer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The same operations with the same operands on a backend under test and on {@link ReferenceBackend}. Owns all operands; the
 * backend under test is borrowed. Operands lie between guard elements, every other one off any alignment but its element's, so
 * that a kernel that writes outside of its output, or relies on alignment, is found.
 */
public final class SideBySide implements AutoCloseable {
    private static final int SEED = 20250101;
    private static final int GUARD = 64;
    private static final byte PATTERN = 0x5A;

    private final TensorBackend tested;
    private final ReferenceBackend reference = new ReferenceBackend();
    private final List<Buffer> buffers = new ArrayList<>();
    private final Kernels testedKernels;
    private final Kernels referenceKernels;
    private int operands;

    /** One operand, on both sides. */
    public record Twin(Tensor tested, Tensor reference) {
        /** {@return the same view on both sides; see {@link Tensor#slice}} */
        public Twin slice(long firstElement, long... dims) {
            return new Twin(tested.slice(firstElement, dims), reference.slice(firstElement, dims));
        }

        /** {@return the largest magnitude on the reference's side} */
        public double largest() {
            return Arrays.stream(values(Elements.of(reference)))
                    .map(Math::abs)
                    .filter(Double::isFinite)
                    .max()
                    .orElse(0);
        }
    }

    /** One of the two sides: picks its tensor of a pair. */
    @FunctionalInterface
    public interface Side {
        /** {@return this side's tensor} */
        Tensor of(Twin twin);
    }

    /** What is run on both sides. */
    @FunctionalInterface
    public interface Operation {
        /** Runs it on one side. */
        void run(Kernels kernels, Side side);
    }

    /** Prepares both sides, on their compute streams. */
    public SideBySide(TensorBackend tested) {
        this.tested = tested;
        this.testedKernels = tested.kernels(tested.computeStream());
        this.referenceKernels = reference.kernels(reference.computeStream());
    }

    /** {@return an operand of these values, rounded to the type} */
    public Twin values(DType dtype, double[] values, long... dims) {
        Shape shape = Shape.of(dims);
        long lead = operands++ % 2 == 0 ? GUARD : 5L * dtype.byteSize();
        Twin twin = new Twin(guarded(tested, dtype, shape, lead), guarded(reference, dtype, shape, lead));
        Elements elements = Elements.of(twin.reference());
        for (int i = 0; i < elements.count(); i++) {
            elements.set(i, values[i]);
        }
        share(twin);
        return twin;
    }

    private Tensor guarded(TensorBackend backend, DType dtype, Shape shape, long lead) {
        long bytes = lead + shape.elements() * dtype.byteSize() + GUARD;
        Buffer buffer = backend.allocate(bytes, "operand");
        buffers.add(buffer);
        Tensor all = new Tensor(buffer, dtype, Shape.of(bytes / dtype.byteSize()));
        upload(backend, all, new byte[(int) bytes], PATTERN);
        return new Tensor(buffer, dtype, shape, lead);
    }

    private static void upload(TensorBackend backend, Tensor target, byte[] bytes, byte value) {
        Arrays.fill(bytes, value);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(bytes.length, 64).copyFrom(MemorySegment.ofArray(bytes));
            backend.upload(host, target, backend.computeStream());
            backend.computeStream().synchronize();
        }
    }

    /** {@return an operand of zeros} */
    public Twin zeros(DType dtype, long... dims) {
        return constant(dtype, 0, dims);
    }

    /** {@return an operand of one value} */
    public Twin constant(DType dtype, double value, long... dims) {
        double[] values = new double[Math.toIntExact(Shape.of(dims).elements())];
        Arrays.fill(values, value);
        return values(dtype, values, dims);
    }

    /** {@return an output: NaN (or −1) everywhere, so that reading it, or leaving an element out, is seen} */
    public Twin output(DType dtype, long... dims) {
        return constant(dtype, dtype == DType.I32 ? -1 : Double.NaN, dims);
    }

    /** {@return an operand of normally distributed numbers, other ones for every operand, the same in every run} */
    public Twin normal(DType dtype, double mean, double deviation, long... dims) {
        double[] values = new double[Math.toIntExact(Shape.of(dims).elements())];
        long key = CounterRandom.key(SEED, operands);
        for (int i = 0; i < values.length; i++) {
            values[i] = new Initializer.Normal(mean, deviation).value(key, i);
        }
        return values(dtype, values, dims);
    }

    /** {@return row indices in [0, rows): both ends, and random ones between, some more than once} */
    public Twin indices(long rows, long... dims) {
        double[] values = new double[Math.toIntExact(Shape.of(dims).elements())];
        CounterRandom random = new CounterRandom(CounterRandom.key(SEED, operands), 0);
        for (int i = 0; i < values.length; i++) {
            values[i] = switch (i) {
                case 0 -> rows - 1;
                case 1 -> 0;
                default -> Math.floorMod(random.bits(i), rows);
            };
        }
        return values(DType.I32, values, dims);
    }

    /** Runs an operation on both sides, and waits for it. */
    public void run(Operation operation) {
        runReference(operation);
        operation.run(testedKernels, Twin::tested);
        tested.computeStream().synchronize();
    }

    /** Runs an operation on the reference's side only; {@link #share} then hands its results over. */
    public void runReference(Operation operation) {
        operation.run(referenceKernels, Twin::reference);
    }

    /** Copies the reference's values to the tested side, so that what follows begins with the same bits. */
    public void share(Twin twin) {
        tested.upload(twin.reference().host(), twin.tested(), tested.computeStream());
        tested.computeStream().synchronize();
    }

    /** {@return what the tested side holds} */
    public double[] tested(Twin twin) {
        return download(twin.tested());
    }

    /** {@return what the reference's side holds} */
    public double[] reference(Twin twin) {
        return values(Elements.of(twin.reference()));
    }

    private double[] download(Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(tensor.byteSize(), 64);
            tested.download(tensor, host, tested.computeStream());
            tested.computeStream().synchronize();
            return values(new Elements(host, tensor.dtype(), tensor.elements()));
        }
    }

    private static double[] values(Elements elements) {
        double[] values = new double[Math.toIntExact(elements.count())];
        Arrays.setAll(values, elements::get);
        return values;
    }

    /** Fails unless the two sides agree within the bound, and nothing was written around the tensor. */
    public void check(String what, Twin output, Bound bound) {
        double[] expected = reference(output);
        double[] actual = tested(output);
        double largest = output.largest();
        DType dtype = output.tested().dtype();
        for (int i = 0; i < expected.length; i++) {
            double tolerance = bound.tolerance(dtype, expected[i], largest);
            boolean same = Double.compare(expected[i], actual[i]) == 0 || expected[i] == actual[i];
            if (!same && !(Math.abs(expected[i] - actual[i]) <= tolerance)) {
                fail(what + ": element " + i + " of " + output.tested() + " is " + actual[i] + ", the reference's is "
                        + expected[i] + ", they may differ by " + tolerance);
            }
        }
        checkGuards(what, output.tested());
    }

    /** Fails if something was written around the tensor on the tested side. */
    void checkGuards(String what, Tensor tensor) {
        Buffer buffer = tensor.buffer();
        int elementBytes = tensor.dtype().byteSize();
        Tensor all = new Tensor(buffer, tensor.dtype(), Shape.of(buffer.byteSize() / elementBytes));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(all.byteSize(), 64);
            tested.download(all, host, tested.computeStream());
            tested.computeStream().synchronize();
            for (long i = 0; i < host.byteSize(); i++) {
                boolean guard = i < 5L * elementBytes || i >= host.byteSize() - GUARD;
                if (guard && host.get(ValueLayout.JAVA_BYTE, i) != PATTERN) {
                    fail(what + ": wrote around its output " + tensor + ", at byte " + i + " of its buffer");
                }
            }
        }
    }

    /** Fails unless the tested side holds exactly these values. */
    public void checkExactly(String what, double[] expected, Twin output) {
        double[] actual = tested(output);
        assertEquals(expected.length, actual.length, what);
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], actual[i], 0.0, what + ": element " + i);
        }
    }

    @Override
    public void close() {
        tested.computeStream().synchronize();
        buffers.forEach(Buffer::close);
        reference.close();
    }
}
