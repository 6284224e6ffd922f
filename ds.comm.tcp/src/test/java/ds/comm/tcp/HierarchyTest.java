package ds.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.CommunicatorException;
import ds.api.comm.ReduceOp;
import ds.tck.comm.HostTensors;
import ds.tck.comm.RankBody;
import ds.tck.comm.RankThreads;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ranks that are told to be on several hosts: the sums are those of the hosts' sums, whatever the size and the cut. */
class HierarchyTest {
    /** @param places the host of each rank, a letter each */
    private static void run(String places, RankBody body) throws Exception {
        int port = Loopback.freePort();
        RankThreads.run(
                places.length(),
                rank -> Loopback.open(rank, places.length(), port, Map.of("host", places.substring(rank, rank + 1))),
                body);
    }

    private static double value(int rank, long i) {
        long state = (i + 1) * 0x9e3779b97f4a7c15L + rank * 0xbf58476d1ce4e5b9L;
        state ^= state >>> 29;
        return (int) ((state * 0x94d049bb133111ebL) >>> 40) * 0x1p-22;
    }

    private static Tensor operand(HostTensors memory, DType dtype, long count, int rank) {
        Tensor tensor = memory.zeros(dtype, count);
        for (long i = 0; i < count; i++) {
            HostTensors.set(tensor, i, value(rank, i));
        }
        return tensor;
    }

    /** Sums host by host, in the order of each host's first rank; a host's sum is rounded to the type. */
    private static Tensor expected(HostTensors memory, DType dtype, long count, String places) {
        Tensor sum = memory.zeros(dtype, count);
        Tensor cell = memory.zeros(dtype, 1);
        for (long i = 0; i < count; i++) {
            float total = Float.NaN;
            for (int host : places.chars().distinct().toArray()) {
                float part = Float.NaN;
                for (int rank = 0; rank < places.length(); rank++) {
                    if (places.charAt(rank) == host) {
                        HostTensors.set(cell, 0, value(rank, i));
                        float own = (float) HostTensors.get(cell, 0);
                        part = Float.isNaN(part) ? own : part + own;
                    }
                }
                HostTensors.set(cell, 0, part);
                float rounded = (float) HostTensors.get(cell, 0);
                total = Float.isNaN(total) ? rounded : total + rounded;
            }
            HostTensors.set(sum, i, total);
        }
        return sum;
    }

    private static void assertSame(Tensor expected, Tensor actual, String what) {
        assertEquals(-1, expected.host().mismatch(actual.host()), what + ": first byte that differs");
    }

    @ParameterizedTest
    @CsvSource({
        "aabb,7",
        "aabb,5000",
        "aabb,100003",
        "aabb,1500007",
        "abab,1500007",
        "abab,33",
        "aabbcc,700001",
        "aaabbb,900000",
        "bbaa,400000"
    })
    void allReduceSumsTheHostsSums(String places, int count) throws Exception {
        for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
            try (HostTensors all = new HostTensors()) {
                Tensor sum = expected(all, dtype, count, places);
                run(places, comm -> {
                    try (HostTensors memory = new HostTensors()) {
                        Tensor data = operand(memory, dtype, count, comm.rank());
                        comm.allReduce(data, ReduceOp.SUM, Call.now("weights")).await();
                        assertSame(sum, data, "rank " + comm.rank() + " " + dtype);
                    }
                });
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"aabb,7", "aabb,9999", "aabb,300001", "abab,900001", "aabbcc,400000"})
    void reduceScatterSumsTheHostsSums(String places, int shard) throws Exception {
        int count = shard * places.length();
        try (HostTensors all = new HostTensors()) {
            Tensor whole = expected(all, DType.BF16, count, places);
            run(places, comm -> {
                try (HostTensors memory = new HostTensors()) {
                    Tensor sum = whole.slice((long) comm.rank() * shard, shard);
                    Tensor input = operand(memory, DType.BF16, count, comm.rank());
                    Tensor apart = memory.zeros(DType.BF16, shard);
                    comm.reduceScatter(input, apart, ReduceOp.SUM, Call.now("gradients"))
                            .await();
                    assertSame(sum, apart, "apart");
                    assertSame(operand(memory, DType.BF16, count, comm.rank()), input, "input");
                    Tensor within = input.slice((long) comm.rank() * shard, shard);
                    comm.reduceScatter(input, within, ReduceOp.SUM, Call.now("gradients"))
                            .await();
                    assertSame(sum, within, "in place");
                }
            });
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"aabb", "abab", "aab"})
    void theBitsDoNotDependOnTheCut(String places) throws Exception {
        int count = 900_000;
        run(places, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor whole = operand(memory, DType.F32, count, comm.rank());
                Tensor parts = operand(memory, DType.F32, count, comm.rank());
                comm.allReduce(whole, ReduceOp.SUM, Call.now("whole")).await();
                int[] cuts = {0, 7, 5000, 123_456, count};
                for (int i = 1; i < cuts.length; i++) {
                    Tensor part = parts.slice(cuts[i - 1], cuts[i] - cuts[i - 1]);
                    comm.allReduce(part, ReduceOp.SUM, Call.now("part")).await();
                }
                assertSame(whole, parts, "cut");
            }
        });
    }

    /** Of one place in the host: that of another one, which comes from its own place there, is only passed on in the host. */
    @ParameterizedTest
    @ValueSource(strings = {"aabb", "abab", "bbbaaa", "aabbcc", "abcdabcd"})
    void anAllGatherLeavesEachHostWithTheLeastPossible(String places) throws Exception {
        int ranks = places.length();
        long otherHosts = places.chars().distinct().count() - 1;
        long shard = 400_001; // chunks that differ in size
        run(places, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor all = memory.zeros(DType.F32, shard * ranks);
                long before = comm.traffic().bytesAcrossHosts();
                comm.allGather(all.slice(comm.rank() * shard, shard), all, Call.now("weights"))
                        .await();
                assertEquals(shard * (ranks - 1), comm.traffic().elements(), "elements sent, also in the host");
                double sent = comm.traffic().bytesAcrossHosts() - before;
                assertEquals(
                        otherHosts,
                        sent / (shard * Float.BYTES),
                        0.01 * otherHosts,
                        "bytes between hosts, with headers");
            }
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"aabb", "abab", "aab", "abc", "aabbcc", "bbbaaa"})
    void whatMovesWithoutSumsArrives(String places) throws Exception {
        int ranks = places.length();
        long shard = 400_000;
        run(places, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor own = operand(memory, DType.F32, shard, comm.rank());
                Tensor all = memory.zeros(DType.F32, shard * ranks);
                comm.allGather(own, all, Call.now("weights")).await();
                for (int rank = 0; rank < ranks; rank++) {
                    assertSame(operand(memory, DType.F32, shard, rank), all.slice(rank * shard, shard), "of " + rank);
                }
                for (int root = 0; root < ranks; root++) {
                    Tensor data = operand(memory, DType.F32, shard, comm.rank());
                    comm.broadcast(data, root, Call.now("weights")).await();
                    assertSame(operand(memory, DType.F32, shard, root), data, "from " + root);
                }
            }
        });
    }

    @Test
    void groupsInsideHaveHierarchiesOfTheirOwn() throws Exception {
        int count = 500_000;
        run("aabbcc", comm -> {
            try (HostTensors memory = new HostTensors();
                    Communicator four = comm.split(comm.rank() < 4 ? 0 : 1, 0)) {
                Tensor data = operand(memory, DType.F32, count, four.rank());
                Tensor other = operand(memory, DType.F32, count, comm.rank());
                var inside = four.allReduce(data, ReduceOp.SUM, Call.now("inside"));
                comm.allReduce(other, ReduceOp.SUM, Call.now("all")).await();
                inside.await();
                assertSame(expected(memory, DType.F32, count, comm.rank() < 4 ? "aabb" : "cc"), data, "inside");
                assertSame(expected(memory, DType.F32, count, "aabbcc"), other, "all");
            }
        });
    }

    @Test
    void eachRankSendsTheLeastPossible() throws Exception {
        long count = 1 << 20;
        run("aabb", comm -> {
            try (HostTensors memory = new HostTensors()) {
                comm.allReduce(memory.zeros(DType.F32, count), ReduceOp.SUM, Call.now("weights"))
                        .await();
                assertEquals(2 * count * 3 / 4, comm.traffic().elements());
            }
        });
    }

    @ParameterizedTest
    @CsvSource({"aabb,2", "abab,1", "aaa,3", "aab,1", "abc,1", "aabbcc,2", "aaabbb,3"})
    void whoSharesAHostIsKnown(String places, int perHost) throws Exception {
        run(places, comm -> assertEquals(perHost, comm.ranksPerHost()));
    }

    /** Of what goes straight from each to each, the two shards for the other host leave this one. */
    @Test
    void whatLeavesTheHostIsCounted() throws Exception {
        long shard = 10_000;
        run("aabb", comm -> {
            try (HostTensors memory = new HostTensors();
                    Communicator inHost = comm.split(rank -> rank / 2)) {
                long before = comm.traffic().bytesAcrossHosts();
                Tensor pair = memory.zeros(DType.F32, 2 * shard);
                inHost.allGather(pair.slice(inHost.rank() * shard, shard), pair, Call.now("in the host"))
                        .await();
                assertEquals(before, comm.traffic().bytesAcrossHosts(), "of the host");
                assertEquals(0, inHost.traffic().bytesAcrossHosts());
                Tensor all = memory.zeros(DType.F32, 4 * shard);
                comm.allGather(all.slice(comm.rank() * shard, shard), all, Call.now("all"))
                        .await();
                long bytes = comm.traffic().bytesAcrossHosts() - before;
                long payload = 2 * shard * Float.BYTES;
                assertTrue(bytes > payload && bytes < 1.02 * payload, bytes + " for " + payload);
            }
        });
    }

    @Test
    void ranksThatDisagreeAreNamed() throws Exception {
        run("aabb", comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.F32, comm.rank() == 3 ? 500_001 : 500_000);
                var work = comm.allReduce(data, ReduceOp.SUM, Call.now("weights"));
                String message = Assertions.assertThrows(CommunicatorException.class, work::await)
                        .getMessage();
                assertTrue(message.contains("F32[500000]") && message.contains("F32[500001]"), message);
            }
        });
    }

    @AfterEach
    void nothingIsLeftRunning() {
        Loopback.assertNoThreads();
    }
}
