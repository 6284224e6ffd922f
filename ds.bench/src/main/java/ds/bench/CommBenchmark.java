package ds.bench;

import ds.api.DType;
import ds.api.Device;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Rendezvous;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.bench.measure.Statistics;
import ds.zero.config.Precision;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Collectives by themselves, called one after the other as by a program that waits for each. Every result is compared with what
 * it must be, before and after it is timed.
 */
public final class CommBenchmark {
    private static final long MOST_CALLS = 20_000;

    private final CommSetup setup;
    private final Communicator comm;
    private final HostMemory number = new HostMemory(DType.F64, 1);

    private CommBenchmark(CommSetup setup, Communicator comm) {
        this.setup = setup;
        this.comm = comm;
    }

    /**
     * Measures. All ranks call it.
     *
     * @param each gets every result, on rank 0 alone
     * @throws IllegalStateException if an operation has given a wrong number
     */
    public static void run(CommSetup setup, Rendezvous rendezvous, Consumer<CommResult> each) {
        setup.check(rendezvous.worldSize());
        ProviderOptions options = new ProviderOptions("--option", setup.options());
        try (Communicator comm =
                Providers.communicators().get(setup.communicator()).open(rendezvous, options)) {
            if (!comm.accepts(Device.HOST)) {
                throw new IllegalArgumentException("--communicator = " + setup.communicator()
                        + ": does not take host memory; `ds bench comm` measures those that do");
            }
            run(setup, comm, each);
        }
    }

    /** Measures in a group that is there already. */
    static void run(CommSetup setup, Communicator comm, Consumer<CommResult> each) {
        new CommBenchmark(setup, comm).run(each);
    }

    private void run(Consumer<CommResult> each) {
        try (number) {
            forAll((operation, bytes) -> with(operation, bytes, this::warmUp));
            forAll((operation, bytes) -> {
                CommResult result = with(operation, bytes, this::measure);
                if (comm.rank() == 0) {
                    each.accept(result);
                }
            });
        }
    }

    private void forAll(BiConsumer<Collective, Long> task) {
        for (long bytes : setup.bytes()) {
            for (Collective operation : setup.operations()) {
                task.accept(operation, bytes);
            }
        }
    }

    /** One operation on one size, and its operands. */
    private record Subject(Collective operation, long bytes, Tensor input, Tensor output) {}

    private <T> T with(Collective operation, long bytes, Function<Subject, T> task) {
        long whole = bytes / setup.dtype().byteSize();
        long written = operation.outputElements(whole, comm.worldSize());
        try (HostMemory in = new HostMemory(setup.dtype(), operation.inputElements(whole, comm.worldSize()));
                HostMemory out = new HostMemory(setup.dtype(), Math.max(1, written))) {
            return task.apply(new Subject(operation, bytes, in.tensor(), written == 0 ? in.tensor() : out.tensor()));
        }
    }

    /** {@return the seconds of the fastest call} */
    private double warmUp(Subject subject) {
        verify(subject);
        double fastest = Double.MAX_VALUE;
        long calls = 1;
        for (double spent = 0; spent < setup.warmUpSeconds(); calls = Math.min(calls * 2, 1000)) {
            double seconds = largest(time(subject, calls));
            spent += seconds;
            fastest = Math.min(fastest, seconds / calls);
        }
        return fastest;
    }

    private CommResult measure(Subject subject) {
        long calls = Math.clamp((long) Math.ceil(setup.seconds() / warmUp(subject)), 1, MOST_CALLS);
        double[] seconds = new double[setup.repeats()];
        double cpu = cpuSeconds();
        for (int i = 0; i < seconds.length; i++) {
            seconds[i] = largest(time(subject, calls)) / calls;
        }
        double cpuOfAll = sum(cpuSeconds() - cpu);
        verify(subject);
        long timed = calls * seconds.length;
        return new CommResult(
                subject.operation(),
                Precision.nameOf(setup.dtype()),
                subject.bytes(),
                comm.worldSize(),
                Statistics.median(seconds),
                Arrays.stream(seconds).min().orElseThrow(),
                Arrays.stream(seconds).max().orElseThrow(),
                timed,
                cpuOfAll / timed);
    }

    /** {@return seconds of so many calls on this rank} */
    private double time(Subject subject, long calls) {
        comm.barrier(Call.now("start")).await();
        long start = System.nanoTime();
        for (long i = 0; i < calls; i++) {
            subject.operation().start(comm, subject.input(), subject.output()).await();
        }
        return (System.nanoTime() - start) * 1e-9;
    }

    private void verify(Subject subject) {
        Collective operation = subject.operation();
        Tensor input = subject.input();
        Tensor output = subject.output();
        long whole = subject.bytes() / setup.dtype().byteSize();
        for (long i = 0; i < input.elements(); i++) {
            HostMemory.set(input, i, Collective.pattern(comm.rank(), i));
        }
        operation.start(comm, input, output).await();
        if (operation.defined(comm.rank())) {
            for (long i = 0; i < output.elements(); i++) {
                int expected = operation.expected(i, whole, comm.rank(), comm.worldSize());
                if (HostMemory.get(output, i) != expected) {
                    throw new IllegalStateException("rank " + comm.rank() + ": " + operation + " of " + whole + " "
                            + setup.dtype() + " gave element " + i + " = " + HostMemory.get(output, i) + ", not "
                            + expected + ": the communicator is broken");
                }
            }
        }
        for (long i = 0; i < input.elements(); i++) {
            HostMemory.set(input, i, 0); // sums over and over in place stay in range
        }
    }

    private double largest(double mine) {
        return combined(mine, ReduceOp.MAX);
    }

    private double sum(double mine) {
        return combined(mine, ReduceOp.SUM);
    }

    private double combined(double mine, ReduceOp op) {
        number.tensor().host().set(ValueLayout.JAVA_DOUBLE, 0, mine);
        comm.allReduce(number.tensor(), op, Call.now("timing")).await();
        return HostMemory.get(number.tensor(), 0);
    }

    private static double cpuSeconds() {
        return ProcessHandle.current().info().totalCpuDuration().orElseThrow().toNanos() * 1e-9;
    }
}
