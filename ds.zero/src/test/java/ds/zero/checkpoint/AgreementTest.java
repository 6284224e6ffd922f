package ds.zero.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.MemoryUse;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What ranks tell each other about checkpoints. */
class AgreementTest {
    private static byte[] told(int rank, int bytes) {
        byte[] told = new byte[bytes];
        for (int i = 0; i < bytes; i++) {
            told[i] = (byte) (31 * i + i / 997 + 7 * rank);
        }
        return told;
    }

    /** Nothing, less than a block, and several blocks, of which the last is not whole. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5})
    void rankZeroCollectsBytesOfAnyLength(int ranks) throws Exception {
        int[] lengths = {70_001, 0, 3, 200_000, 65_536};
        InProcessCommunicators.run(ranks, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    Agreement agreement = new Agreement(backend, communicator)) {
                for (int shift = 0; shift < 2; shift++) {
                    int length = lengths[(communicator.rank() + shift) % lengths.length];
                    List<byte[]> collected = agreement.collect("index", told(communicator.rank(), length));
                    assertEquals(communicator.rank() == 0 ? ranks : 0, collected.size());
                    for (int rank = 0; rank < collected.size(); rank++) {
                        byte[] expected = told(rank, lengths[(rank + shift) % lengths.length]);
                        assertArrayEquals(expected, collected.get(rank), "of rank " + rank);
                    }
                }
            }
        });
    }

    @Test
    void thePlanKnowsItsMemory() throws Exception {
        InProcessCommunicators.run(3, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    Agreement agreement = new Agreement(backend, communicator)) {
                MemoryUse use = backend.memory();
                assertEquals(3, agreement.worldSize());
                assertEquals(
                        Agreement.memoryBytes(3), use.labels().get("checkpoint").liveBytes());
            }
        });
    }
}
