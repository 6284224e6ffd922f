package ds.comm.nccl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.DType;
import ds.api.Device;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.CommunicatorException;
import ds.api.comm.ReduceOp;
import ds.api.comm.Rendezvous;
import ds.api.comm.Secret;
import ds.api.spi.Availability;
import ds.api.spi.ProviderException;
import ds.api.spi.ProviderOptions;
import ds.tck.comm.RankThreads;
import java.net.ServerSocket;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The provider without GPUs; and its operations by ranks as threads, on the emulated NCCL of profile {@code emulator}. */
class NcclCommunicatorTest {
    private static final ProviderOptions OPTIONS = new ProviderOptions("ds.options", Map.of("timeout_seconds", 20));

    @Test
    void saysWhatIsThereOrWhatIsMissing() {
        NcclCommunicatorProvider provider = new NcclCommunicatorProvider();
        assertEquals("nccl", provider.name());
        assertTrue(provider.reaches("cuda"));
        assertFalse(provider.reaches("host"));
        switch (provider.availability()) {
            case Availability.Available(String description) -> assertTrue(description.contains("NCCL 2."), description);
            case Availability.Unavailable(String reason) -> {
                assertTrue(reason.contains("libcuda") || reason.contains("libnccl") || reason.contains("GPU"), reason);
                assertThrows(
                        RuntimeException.class,
                        () -> provider.open(Rendezvous.alone(), ProviderOptions.none("ds.options")));
            }
        }
    }

    @Test
    void unknownAndImpossibleOptionsAreRefused() {
        NcclCommunicatorProvider provider = new NcclCommunicatorProvider();
        ProviderOptions unknown = new ProviderOptions("ds.options", Map.of("shared_memory", true));
        assertThrows(ProviderException.class, () -> provider.open(Rendezvous.alone(), unknown));
        ProviderOptions zero = new ProviderOptions("ds.options", Map.of("timeout_seconds", 0));
        assertTrue(assertThrows(ProviderException.class, () -> provider.open(Rendezvous.alone(), zero))
                .getMessage()
                .contains("timeout_seconds = 0"));
    }

    /** On the emulated device alone: real GPUs are one for each process, and their memory is not the host's. */
    @Nested
    class Emulated {
        private int port;

        private void run(int worldSize, ds.tck.comm.RankBody body) throws Exception {
            assumeTrue(System.getenv("DS_EMULATED_DEVICES") != null, "not the emulated device");
            try (ServerSocket free = new ServerSocket(0)) {
                port = free.getLocalPort();
            }
            RankThreads.run(worldSize, rank -> open(rank, worldSize, "a secret of the test's own"), body);
        }

        private Communicator open(int rank, int worldSize, String secret) {
            Rendezvous rendezvous =
                    new Rendezvous(rank, worldSize, rank, "127.0.0.1", port, Optional.of(Secret.of(secret)));
            return new NcclCommunicatorProvider().open(rendezvous, OPTIONS);
        }

        private int[] ramp(int count, int rank) {
            return IntStream.range(0, count).map(i -> i % 7 + 10 * rank).toArray();
        }

        private int[] sum(int count, int worldSize) {
            return IntStream.range(0, count)
                    .map(i -> i % 7 * worldSize + 5 * worldSize * (worldSize - 1))
                    .toArray();
        }

        @ParameterizedTest
        @ValueSource(ints = {1, 2, 3, 4})
        void allReduceReduceScatterAndAllGather(int worldSize) throws Exception {
            run(worldSize, comm -> {
                int shard = 5;
                int count = shard * worldSize;
                int[] all = sum(count, worldSize);
                int[] own = IntStream.range(comm.rank() * shard, (comm.rank() + 1) * shard)
                        .map(i -> all[i])
                        .toArray();
                try (GpuTensors memory = new GpuTensors(comm.rank())) {
                    assertTrue(comm.accepts(new Device("cuda", comm.rank())));
                    assertFalse(comm.accepts(Device.HOST));
                    for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
                        Tensor data = memory.of(dtype, ramp(count, comm.rank()));
                        Tensor output = memory.of(dtype, new int[shard]);
                        comm.reduceScatter(data, output, ReduceOp.SUM, Call.now("gradients"))
                                .await();
                        assertArrayEquals(own, GpuTensors.read(output), "reduceScatter");
                        comm.allReduce(data, ReduceOp.SUM, Call.now("gradients"))
                                .await();
                        assertArrayEquals(all, GpuTensors.read(data), "allReduce");
                        Tensor whole = memory.of(dtype, new int[count]);
                        comm.allGather(output, whole, Call.now("weights")).await();
                        assertArrayEquals(all, GpuTensors.read(whole), "allGather");
                        Tensor inPlace = memory.of(dtype, ramp(count, comm.rank()));
                        Tensor place = inPlace.slice((long) comm.rank() * shard, shard);
                        comm.reduceScatter(inPlace, place, ReduceOp.SUM, Call.now("in place"))
                                .await();
                        assertArrayEquals(own, GpuTensors.read(place), "reduceScatter in place");
                    }
                    long others = (long) shard * (worldSize - 1);
                    assertEquals(2 * 5 * others, comm.traffic().elements(), "elements sent");
                }
            });
        }

        @ParameterizedTest
        @EnumSource(ReduceOp.class)
        void rootsGetWhatTheyAskFor(ReduceOp op) throws Exception {
            int worldSize = 3;
            run(worldSize, comm -> {
                try (GpuTensors memory = new GpuTensors(comm.rank())) {
                    Tensor data = memory.of(DType.F32, ramp(9, comm.rank()));
                    comm.reduce(data, op, 1, Call.now("norms")).await();
                    if (comm.rank() == 1) {
                        int[] expected = op == ReduceOp.SUM ? sum(9, worldSize) : ramp(9, worldSize - 1);
                        assertArrayEquals(expected, GpuTensors.read(data));
                    }
                    Tensor own = memory.of(DType.F32, ramp(2, comm.rank()));
                    Tensor all = memory.of(DType.F32, new int[6]);
                    comm.gather(own, all, 2, Call.now("shards")).await();
                    if (comm.rank() == 2) {
                        assertArrayEquals(new int[] {0, 1, 10, 11, 20, 21}, GpuTensors.read(all));
                    }
                    comm.broadcast(own, 0, Call.now("weights")).await();
                    assertArrayEquals(ramp(2, 0), GpuTensors.read(own));
                    Tensor from = memory.of(DType.F32, ramp(6, comm.rank()));
                    comm.allToAll(from, all, Call.now("experts")).await();
                    int r = 2 * comm.rank();
                    assertArrayEquals(
                            new int[] {r, r + 1, r + 10, r + 11, r + 20, r + 21}, GpuTensors.read(all), "allToAll");
                    assertThrows(UnsupportedOperationException.class, () -> comm.send(own, 0, Call.now("x")));
                }
            });
        }

        @Test
        void partsAreGroupsOfTheirOwn() throws Exception {
            run(4, comm -> {
                try (Communicator part = comm.split(comm.rank() % 2, -comm.rank());
                        GpuTensors memory = new GpuTensors(comm.rank())) {
                    assertEquals(2, part.worldSize());
                    assertEquals(comm.rank() < 2 ? 1 : 0, part.rank(), "ordered by key");
                    Tensor data = memory.of(DType.F32, comm.rank());
                    part.allReduce(data, ReduceOp.SUM, Call.now("axis")).await();
                    assertArrayEquals(new int[] {comm.rank() % 2 == 0 ? 2 : 4}, GpuTensors.read(data));
                    part.barrier(Call.now("axis")).await();
                }
            });
        }

        @Test
        void abortReachesAllAndStays() throws Exception {
            run(3, comm -> {
                try (GpuTensors memory = new GpuTensors(comm.rank())) {
                    Tensor data = memory.of(DType.F32, 1, 2, 3);
                    if (comm.rank() == 1) {
                        comm.abort("the loss is NaN");
                    }
                    for (int i = 0; i < 2; i++) {
                        CommunicatorException e = assertThrows(CommunicatorException.class, () -> {
                            while (true) { // until the word has come here
                                comm.allReduce(data, ReduceOp.SUM, Call.now("step 7"))
                                        .await();
                            }
                        });
                        assertTrue(e.getMessage().contains("rank 1 has given up: the loss is NaN"), e.getMessage());
                        assertTrue(e.getMessage().contains("step 7"), e.getMessage());
                    }
                }
            });
        }

        @Test
        void oneWithAnotherSecretIsShutOut() throws Exception {
            run(1, comm -> assertEquals(1, comm.worldSize())); // takes a port
            Thread stranger = Thread.ofPlatform().daemon().start(() -> {
                CommunicatorException e =
                        assertThrows(CommunicatorException.class, () -> open(1, 2, "not the secret of the job"));
                assertTrue(e.getMessage().contains("DS_SECRET"), e.getMessage());
            });
            RankThreads.run(
                    2,
                    rank -> {
                        if (rank == 1) {
                            stranger.join();
                        }
                        return open(rank, 2, "a secret of the test's own");
                    },
                    comm -> comm.barrier(Call.now("all are there")).await());
        }
    }
}
