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
import ds.zero.config.Precision;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;

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
            new CommBenchmark(setup, comm).run(each);
        }
    }

    private void run(Consumer<CommResult> each) {
        try (number) {
            for (long bytes : setup.bytes()) {
                for (Collective operation : setup.operations()) {
                    CommResult result = measure(operation, bytes);
                    if (comm.rank() == 0) {
                        each.accept(result);
                    }
                }
            }
        }
    }

    private CommResult measure(Collective operation, long bytes) {
        int ranks = comm.worldSize();
        long whole = bytes / setup.dtype().byteSize();
        long written = operation.outputElements(whole, ranks);
        try (HostMemory in = new HostMemory(setup.dtype(), operation.inputElements(whole, ranks));
                HostMemory out = new HostMemory(setup.dtype(), Math.max(1, written))) {
            Tensor input = in.tensor();
            Tensor output = written == 0 ? input : out.tensor();
            verify(operation, whole, input, output);
            long calls = calls(operation, input, output);
            double[] seconds = new double[setup.repeats()];
            double cpu = cpuSeconds();
            for (int i = 0; i < seconds.length; i++) {
                seconds[i] = largest(time(operation, calls, input, output)) / calls;
            }
            double cpuOfAll = sum(cpuSeconds() - cpu);
            verify(operation, whole, input, output);
            double[] range = {seconds[0], seconds[0]};
            for (double one : seconds) {
                range[0] = Math.min(range[0], one);
                range[1] = Math.max(range[1], one);
            }
            long timed = calls * seconds.length;
            return new CommResult(
                    operation,
                    Precision.nameOf(setup.dtype()),
                    bytes,
                    ranks,
                    Statistics.median(seconds),
                    range[0],
                    range[1],
                    timed,
                    cpuOfAll / timed);
        }
    }

    /** {@return how many calls one timing has, the same on all ranks} Warms up first. */
    private long calls(Collective operation, Tensor input, Tensor output) {
        double one = Double.MAX_VALUE;
        for (int i = 0; i < setup.warmUp(); i++) {
            one = Math.min(one, largest(time(operation, 1, input, output)));
        }
        long few = Math.clamp((long) (0.1 * setup.seconds() / one), 1, MOST_CALLS);
        double rough = largest(time(operation, few, input, output)) / few;
        return Math.clamp((long) Math.ceil(setup.seconds() / rough), 1, MOST_CALLS);
    }

    /** {@return seconds of so many calls on this rank} */
    private double time(Collective operation, long calls, Tensor input, Tensor output) {
        comm.barrier(Call.now("start")).await();
        long start = System.nanoTime();
        for (long i = 0; i < calls; i++) {
            operation.start(comm, input, output).await();
        }
        return (System.nanoTime() - start) * 1e-9;
    }

    private void verify(Collective operation, long whole, Tensor input, Tensor output) {
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
