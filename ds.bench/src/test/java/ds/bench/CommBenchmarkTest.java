package ds.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.comm.Communicator;
import ds.api.comm.Work;
import ds.tck.comm.InProcessCommunicators;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class CommBenchmarkTest {
    private static CommSetup setup(DType dtype, long... bytes) {
        List<Long> sizes = new ArrayList<>();
        for (long size : bytes) {
            sizes.add(size);
        }
        return new CommSetup(List.of(Collective.values()), sizes, dtype, 1e-4, 3, 1e-4, "none", Map.of());
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "BF16", "F16"})
    void everyOperationIsMeasuredAndRightOnEverySize(DType dtype) throws Exception {
        List<CommResult> results = new ArrayList<>();
        InProcessCommunicators.run(3, comm -> CommBenchmark.run(setup(dtype, 12, 12_000), comm, results::add));
        assertEquals(2 * Collective.values().length, results.size(), "on rank 0 alone");
        for (CommResult result : results) {
            JsonNode line = JsonMapper.shared().readTree(result.json());
            assertEquals(result.operation().toString(), line.get("op").asString());
            assertEquals(3, line.get("ranks").asInt());
            double perCall = line.get("seconds").asDouble();
            double bus = line.get("bus_bytes_per_second").asDouble()
                    * perCall
                    / line.get("bytes").asLong();
            assertEquals(result.operation().busFactor(3), bus, 1e-9);
            assertTrue(line.get("seconds_min").asDouble() <= perCall
                    && perCall <= line.get("seconds_max").asDouble());
        }
    }

    @Test
    void bandwidthIsCountedAsNcclTestsDoes() {
        assertEquals(1.5, Collective.ALL_REDUCE.busFactor(4));
        assertEquals(0.75, Collective.REDUCE_SCATTER.busFactor(4));
        assertEquals(0.75, Collective.ALL_GATHER.busFactor(4));
        assertEquals(1, Collective.BROADCAST.busFactor(4));
    }

    @Test
    void aCommunicatorThatDoesNothingIsFoundOut() {
        IllegalStateException e = assertThrows(
                IllegalStateException.class,
                () -> InProcessCommunicators.run(
                        2, comm -> CommBenchmark.run(setup(DType.F32, 64), idle(comm), r -> {})));
        assertTrue(e.getMessage().contains("gave element"), e.getMessage());
    }

    /** All-reduces of numbers for timings work; what is measured does not. */
    private static Communicator idle(Communicator comm) {
        return (Communicator) Proxy.newProxyInstance(
                CommBenchmarkTest.class.getClassLoader(),
                new Class<?>[] {Communicator.class},
                (proxy, method, args) -> {
                    if (method.getName().equals("reduceScatter")) {
                        return (Work) () -> {};
                    }
                    try {
                        return method.invoke(comm, args);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    @Test
    void sizesThatAreNoShardsAreRefused() {
        IllegalArgumentException e = assertThrows(
                IllegalArgumentException.class,
                () -> setup(DType.F32, 4096, 4100).check(4));
        assertTrue(e.getMessage().contains("--bytes = 4100") && e.getMessage().contains("use 4096"), e.getMessage());
    }
}
