package ds.comm.tcp.faults;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.CommunicatorException;
import ds.api.comm.ReduceOp;
import ds.api.comm.Rendezvous;
import ds.api.spi.CommunicatorProvider;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.tck.comm.HostTensors;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** One rank, as a process: it calls collectives of many sizes until rank 0 has had enough, and checks every number. */
final class CollectiveLoop {
    static final int WRONG_NUMBER = 3;
    private static final int MAX_ELEMENTS = 600_000;

    private final Communicator comm;
    private final Tensor data;
    private final Tensor shard;
    private final int elements;

    private CollectiveLoop(Communicator comm, HostTensors memory, int elements) {
        this.comm = comm;
        this.elements = elements;
        data = memory.zeros(DType.I32, (long) elements * comm.worldSize());
        shard = memory.zeros(DType.I32, elements);
    }

    /** Begins when it is told to. Arguments: how long in milliseconds; then options of the communicator as {@code key=value}. */
    public static void main(String[] arguments) throws IOException {
        Map<String, Object> options = new HashMap<>();
        for (int i = 1; i < arguments.length; i++) {
            String[] parts = arguments[i].split("=", 2);
            options.put(
                    parts[0],
                    switch (parts[1]) {
                        case "true", "false" -> Boolean.valueOf(parts[1]);
                        default -> parts[0].endsWith("seconds") ? Double.valueOf(parts[1]) : parts[1];
                    });
        }
        Rendezvous place = Rendezvous.fromEnvironment(System.getenv());
        CommunicatorProvider provider = Providers.communicators().get("tcp");
        say("ready");
        System.in.read();
        int code = 0;
        try (Communicator comm = provider.open(place, new ProviderOptions("options", options))) {
            say("joined");
            say("done after " + run(comm, TimeUnit.MILLISECONDS.toNanos(Long.parseLong(arguments[0]))));
        } catch (CommunicatorException e) {
            say("error: " + e.getMessage().replace('\n', ' '));
            code = 1;
        } catch (IllegalStateException e) {
            say("wrong: " + e.getMessage());
            code = WRONG_NUMBER;
        }
        System.out.flush();
        Runtime.getRuntime().halt(code);
    }

    @SuppressWarnings("SystemOut") // it is what the driver reads
    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static int run(Communicator comm, long nanos) {
        long end = System.nanoTime() + nanos;
        int[] sizes = {1, 1000, 30_000, MAX_ELEMENTS / comm.worldSize()};
        try (HostTensors memory = new HostTensors()) {
            CollectiveLoop[] loops = new CollectiveLoop[sizes.length];
            for (int i = 0; i < sizes.length; i++) {
                loops[i] = new CollectiveLoop(comm, memory, sizes[i]);
            }
            for (int step = 0; ; step++) {
                boolean enough = comm.rank() == 0 && step >= sizes.length && System.nanoTime() - end >= 0;
                if (loops[step % loops.length].step(step, enough)) {
                    return step;
                }
            }
        }
    }

    /** {@return whether rank 0 has had enough} Its word is the last element. */
    private boolean step(int step, boolean enough) {
        int n = comm.worldSize();
        int last = elements * n - 1;
        for (int i = 0; i < last; i++) {
            set(data, i, step + i + comm.rank());
        }
        set(data, last, enough ? 1 : 0);
        comm.allReduce(data, ReduceOp.SUM, Call.now("sum of step " + step)).await();
        for (int i = 0; i < last; i++) {
            check("sum", step, i, n * (step + i) + n * (n - 1) / 2, get(data, i));
        }
        boolean over = get(data, last) == 1;
        comm.reduceScatter(data, shard, ReduceOp.MAX, Call.now("shards of step " + step))
                .await();
        for (int i = 0; i < elements; i++) {
            check("shard", step, i, get(data, comm.rank() * elements + i), get(shard, i));
            set(shard, i, step ^ (comm.rank() * elements + i));
        }
        comm.allGather(shard, data, Call.now("whole of step " + step)).await();
        for (int i = 0; i <= last; i++) {
            check("whole", step, i, step ^ i, get(data, i));
        }
        comm.broadcast(data, step % n, Call.now("words of step " + step)).await();
        return over;
    }

    private static int get(Tensor tensor, int i) {
        return tensor.host().getAtIndex(ValueLayout.JAVA_INT, i);
    }

    private static void set(Tensor tensor, int i, int value) {
        tensor.host().setAtIndex(ValueLayout.JAVA_INT, i, value);
    }

    private void check(String what, int step, int i, int expected, int actual) {
        if (expected != actual) {
            throw new IllegalStateException("rank " + comm.rank() + ", " + what + " of step " + step + ", element " + i
                    + " of " + elements + ": " + actual + ", not " + expected);
        }
    }
}
