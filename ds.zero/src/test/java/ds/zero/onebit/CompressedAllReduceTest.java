package ds.zero.onebit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Signs;
import ds.api.Tensor;
import ds.api.comm.Communicator;
import ds.api.comm.Traffic;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.onebit.CompressedAllReduce.Vector;
import ds.zero.timing.StepTimer;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against a plain simulation of whole vectors, and against what error feedback promises: what is not sent now is sent later. */
class CompressedAllReduceTest {
    private static final int ROUNDS = 12;

    /** Elements of a shard of each vector: less than a word's block, several blocks with a rest, exactly one block. */
    private static final int[] SHARDS = {32, 9_632, Signs.BLOCK};

    private static final long SMALL_CHUNKS = 1; // one block of every shard
    private static final long LARGE_CHUNKS = 1 << 21;

    private static float value(int vector, int round, int rank, int element) {
        CounterRandom random = new CounterRandom(CounterRandom.key(9, vector, round, rank), 0);
        return (float) (Math.exp(element % 5) * (random.uniform(element) - 0.45));
    }

    private static boolean takesPart(int vector, int element) {
        return element % 11 != 4 && !(vector == 1 && element < Signs.BLOCK);
    }

    /** What a rank has seen: the mean of each vector in each round, and the errors after the last. */
    private record Seen(
            List<List<float[]>> means, List<float[]> workerErrors, List<float[]> serverErrors, Traffic sent) {}

    private static Map<Integer, Seen> run(int ranks, long chunkElements, boolean overlap) throws Exception {
        Map<Integer, Seen> seen = new ConcurrentHashMap<>();
        InProcessCommunicators.run(
                ranks, communicator -> seen.put(communicator.rank(), onRank(communicator, chunkElements, overlap)));
        return seen;
    }

    private static Seen onRank(Communicator communicator, long chunkElements, boolean overlap) {
        try (ReferenceBackend backend = new ReferenceBackend()) {
            List<Vector> vectors = new ArrayList<>();
            for (int v = 0; v < SHARDS.length; v++) {
                Tensor active =
                        backend.allocate(DType.F32, Shape.of((long) communicator.worldSize() * SHARDS[v]), "test");
                for (int i = 0; i < active.elements(); i++) {
                    set(active, i, takesPart(v, i) ? 0.5f : 0);
                }
                vectors.add(new Vector("v" + v, active, backend.allocate(DType.F32, active.shape(), "test")));
            }
            var exchange = new Exchange(overlap, new StepTimer());
            Traffic before = communicator.traffic();
            try (var reduce = new CompressedAllReduce(backend, communicator, vectors, exchange, chunkElements)) {
                List<List<float[]>> means = new ArrayList<>();
                for (int round = 0; round < ROUNDS; round++) {
                    reduce.begin(1, 0);
                    Sender sender = new Sender(reduce, round, communicator.rank());
                    List<float[]> ofRound = new ArrayList<>();
                    for (int v = 0; v < SHARDS.length; v++) {
                        reduce.await(v, sender);
                        assertTrue(sender.arrived[v] == vectors.get(v).mean().elements(), "every element has arrived");
                        ofRound.add(elements(vectors.get(v).mean()));
                    }
                    means.add(ofRound);
                }
                List<float[]> workerErrors = new ArrayList<>();
                List<float[]> serverErrors = new ArrayList<>();
                for (int v = 0; v < SHARDS.length; v++) {
                    workerErrors.add(elements(reduce.workerError(v)));
                    serverErrors.add(elements(reduce.serverError(v)));
                }
                return new Seen(
                        means,
                        workerErrors,
                        serverErrors,
                        communicator.traffic().since(before));
            }
        }
    }

    private static final class Sender implements Travellers {
        private final CompressedAllReduce reduce;
        private final int round;
        private final int rank;
        private final long[] arrived = new long[SHARDS.length];

        Sender(CompressedAllReduce reduce, int round, int rank) {
            this.reduce = reduce;
            this.round = round;
            this.rank = rank;
        }

        @Override
        public void send(Span span) {
            Tensor unsent = reduce.workerError(span.vector()).slice(span.first(), span.elements());
            for (int i = 0; i < span.elements(); i++) {
                float value = value(span.vector(), round, rank, (int) span.first() + i);
                set(unsent, i, get(unsent, i) + value);
            }
        }

        @Override
        public void arrived(Span span) {
            arrived[span.vector()] += span.elements();
        }
    }

    private static float get(Tensor tensor, long i) {
        return tensor.host().getAtIndex(ValueLayout.JAVA_FLOAT, i);
    }

    private static void set(Tensor tensor, long i, float value) {
        tensor.host().setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
    }

    private static float[] elements(Tensor tensor) {
        return tensor.host().toArray(ValueLayout.JAVA_FLOAT);
    }

    /** The algorithm on whole vectors, all ranks in one loop: {@code means[round]}. */
    private static float[][] simulate(int vector, int ranks) {
        int shard = SHARDS[vector];
        float[][] workerErrors = new float[ranks][ranks * shard];
        float[] serverErrors = new float[ranks * shard];
        float[][] means = new float[ROUNDS][ranks * shard];
        for (int round = 0; round < ROUNDS; round++) {
            double[] sum = new double[ranks * shard];
            for (int rank = 0; rank < ranks; rank++) {
                float[] value = new float[ranks * shard];
                for (int i = 0; i < value.length; i++) {
                    value[i] = value(vector, round, rank, i) + workerErrors[rank][i];
                }
                float[] sent = compressed(vector, value, shard);
                for (int i = 0; i < value.length; i++) {
                    workerErrors[rank][i] = takesPart(vector, i) ? value[i] - sent[i] : 0;
                    sum[i] += sent[i];
                }
            }
            float[] value = new float[ranks * shard];
            for (int i = 0; i < value.length; i++) {
                value[i] = (float) (sum[i] / ranks + serverErrors[i]);
            }
            means[round] = compressed(vector, value, shard);
            for (int i = 0; i < value.length; i++) {
                serverErrors[i] = takesPart(vector, i) ? value[i] - means[round][i] : 0;
            }
        }
        return means;
    }

    /** Signs times the root of the mean square of a block's elements that take part; blocks begin anew in every shard. */
    private static float[] compressed(int vector, float[] value, int shard) {
        float[] sent = new float[value.length];
        for (int first = 0; first < value.length; ) {
            int end = Math.min(first + Signs.BLOCK, (first / shard + 1) * shard);
            double squares = 0;
            int count = 0;
            for (int i = first; i < end; i++) {
                if (takesPart(vector, i)) {
                    squares += value[i] * (double) value[i];
                    count++;
                }
            }
            for (int i = first; i < end; i++) {
                sent[i] = takesPart(vector, i)
                        ? (float) Math.copySign(Math.sqrt(squares / Math.max(1, count)), value[i] < 0 ? -1 : 1)
                        : 0;
            }
            first = end;
        }
        return sent;
    }

    /** Sums of a few roundings of numbers below 100; a sign may differ only where such a sum is 0, which none is here. */
    @ParameterizedTest
    @ValueSource(ints = {2, 3, 4})
    void isThePlainSimulation(int ranks) throws Exception {
        Map<Integer, Seen> seen = run(ranks, SMALL_CHUNKS, true);
        for (int v = 0; v < SHARDS.length; v++) {
            float[][] expected = simulate(v, ranks);
            for (int rank = 0; rank < ranks; rank++) {
                for (int round = 0; round < ROUNDS; round++) {
                    float[] mean = seen.get(rank).means().get(round).get(v);
                    for (int i = 0; i < mean.length; i++) {
                        String where = "rank " + rank + ", vector " + v + ", round " + round + ", element " + i;
                        assertEquals(expected[round][i], mean[i], 1e-6 * (1 + Math.abs(expected[round][i])), where);
                    }
                }
            }
        }
    }

    /** What arrived in all rounds and what is left behind is what was given: nothing is lost, whatever the scales are. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void whatIsNotSentIsKept(int ranks) throws Exception {
        Map<Integer, Seen> seen = run(ranks, LARGE_CHUNKS, true);
        for (int v = 0; v < SHARDS.length; v++) {
            for (int i = 0; i < ranks * SHARDS[v]; i++) {
                double given = 0;
                double arrived = 0;
                double left = seen.get(i / SHARDS[v]).serverErrors().get(v)[i % SHARDS[v]];
                for (int rank = 0; rank < ranks; rank++) {
                    left += seen.get(rank).workerErrors().get(v)[i] / ranks;
                }
                for (int round = 0; round < ROUNDS; round++) {
                    arrived += seen.get(0).means().get(round).get(v)[i];
                    for (int rank = 0; rank < ranks; rank++) {
                        given += value(v, round, rank, i) / (double) ranks;
                    }
                }
                double bound = ROUNDS * (ranks + 3) * Math.scalb(200.0, -24); // roundings of numbers below 200
                assertEquals(takesPart(v, i) ? given : 0, arrived + left, bound, "vector " + v + ", element " + i);
            }
        }
    }

    @Test
    void chunksAndOverlapChangeNoBit() throws Exception {
        Seen small = run(3, SMALL_CHUNKS, true).get(2);
        Seen waiting = run(3, SMALL_CHUNKS, false).get(2);
        Seen large = run(3, LARGE_CHUNKS, true).get(2);
        for (Seen other : List.of(waiting, large)) {
            for (int v = 0; v < SHARDS.length; v++) {
                assertArrayEquals(
                        small.workerErrors().get(v), other.workerErrors().get(v));
                assertArrayEquals(
                        small.serverErrors().get(v), other.serverErrors().get(v));
                for (int round = 0; round < ROUNDS; round++) {
                    assertArrayEquals(
                            small.means().get(round).get(v),
                            other.means().get(round).get(v));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void sendsABitAnElementTwice(int ranks) throws Exception {
        Seen seen = run(ranks, LARGE_CHUNKS, true).get(0);
        long bytes = 0;
        for (int shard : SHARDS) {
            long bits = shard / 8L;
            long scales = Float.BYTES * Math.ceilDiv((long) shard, Signs.BLOCK);
            bytes += 2L * (ranks - 1) * (bits + scales);
        }
        assertEquals(ROUNDS * bytes, seen.sent().bytes());
    }
}
