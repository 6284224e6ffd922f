package ds.zero.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PlanningBackendTest {
    private static final long TERABYTE = 1L << 40;

    private final PlanningBackend backend = new PlanningBackend(Device.HOST);

    @Test
    void memoryIsCountedByLabelAndNotThere() {
        Buffer first = backend.allocate(3 * TERABYTE, "weights");
        Buffer second = backend.allocate(TERABYTE, "scratch");
        first.close();
        first.close();
        Buffer third = backend.allocate(2 * TERABYTE, "weights");
        assertEquals(3 * TERABYTE, backend.memory().liveBytes());
        assertEquals(4 * TERABYTE, backend.memory().peakBytes());
        assertEquals(3 * TERABYTE, backend.memory().labels().get("weights").peakBytes());
        assertEquals(Map.of("weights", 3 * TERABYTE, "scratch", TERABYTE), backend.bytesAtPeak());
        second.close();
        third.close();
        assertEquals(0, backend.memory().liveBytes());
    }

    @Test
    void onlyHostMemoryHasAnAddress() {
        Buffer buffer = backend.allocate(64, "weights");
        Exception e = assertThrows(IllegalStateException.class, buffer::host);
        assertTrue(e.getMessage().contains("planned and has no memory"), e.getMessage());
        try (Buffer host = backend.allocateHost(TERABYTE, "swapBuffers")) {
            assertEquals(TERABYTE, host.host().byteSize());
            assertEquals(0, host.address() % 4096);
        }
    }

    /** Otherwise a fused kernel would be composed, and count temporary memory that no real backend takes. */
    @Test
    void everyKernelDoesNothing() {
        List<String> inherited = Arrays.stream(Kernels.class.getMethods())
                .filter(method -> !Modifier.isStatic(method.getModifiers()))
                .filter(method -> !isDeclared(method))
                .map(Method::getName)
                .toList();
        assertEquals(List.of(), inherited);
    }

    private static boolean isDeclared(Method method) {
        return Arrays.stream(PlanningKernels.class.getDeclaredMethods())
                .filter(own -> own.getName().equals(method.getName()))
                .anyMatch(own -> Arrays.equals(own.getParameterTypes(), method.getParameterTypes()));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void trafficIsThatOfARealGroup(int ranks) throws Exception {
        InProcessCommunicators.run(ranks, communicator -> {
            try (ReferenceBackend real = new ReferenceBackend()) {
                Tensor whole = real.allocate(DType.F32, Shape.of(6L * ranks), "whole");
                Tensor shard = real.allocate(DType.F32, Shape.of(6), "shard");
                Tensor odd = real.allocate(DType.BF16, Shape.of(7), "odd");
                PlanningCommunicator planned = new PlanningCommunicator(communicator.rank(), ranks);
                for (Communicator each : List.of(communicator, planned)) {
                    each.allReduce(odd, ReduceOp.SUM, Call.now("a")).await();
                    each.reduceScatter(whole, shard, ReduceOp.SUM, Call.now("b"))
                            .await();
                    each.allGather(shard, whole, Call.now("c")).await();
                    each.broadcast(odd, ranks - 1, Call.now("d")).await();
                    each.barrier(Call.now("e")).await();
                }
                assertEquals(communicator.traffic(), planned.traffic());
            }
        });
    }
}
