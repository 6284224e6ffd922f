package ds.comm.tcp.mesh;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.code_intelligence.jazzer.junit.FuzzTest;
import ds.api.DType;
import ds.api.comm.ReduceOp;
import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.OperationKind;
import ds.comm.tcp.fuzz.Mutations;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * Whatever bytes arrive in the middle of an operation, they are taken as what they are or end the job with a clear cause; nothing
 * else happens. By itself {@code -Dcount=10000000}; guided by coverage with {@code JAZZER_FUZZ=1} in the environment.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class FrameFuzzTest {
    private static final long SEED = 11;

    private BusyRank rank;

    @BeforeAll
    void begin() throws IOException {
        rank = new BusyRank();
    }

    @AfterAll
    void end() {
        rank.close();
    }

    @FuzzTest(maxExecutions = 10_000_000, maxDuration = "60m")
    void anyBytesAreTakenOrRejected(byte[] bytes) throws IOException {
        rank.hear(bytes);
    }

    /** These are right: if they were not, their mutations would not get far. */
    @Test
    void whatAPeerSaysCompletesTheOperation() throws IOException {
        assertEquals(BusyRank.Outcome.COMPLETE, rank.hear(whole()));
    }

    @Test
    void mutationsOfFramesAreTakenOrRejected() throws IOException {
        long seed = Long.getLong("seed", SEED);
        List<byte[]> right = new ArrayList<>(frames());
        right.addAll(others());
        right.add(whole());
        right.add(early());
        Mutations mutations = new Mutations(right, seed);
        Set<BusyRank.Outcome> outcomes = EnumSet.noneOf(BusyRank.Outcome.class);
        for (long i = 0; i < Mutations.count(); i++) {
            outcomes.add(rank.hear(mutations.next()));
        }
        assertEquals(EnumSet.allOf(BusyRank.Outcome.class), outcomes, "of the inputs of seed " + seed);
    }

    private static byte[] whole() {
        ByteBuffer all = ByteBuffer.allocate(
                frames().stream().mapToInt(frame -> frame.length).sum());
        frames().forEach(all::put);
        return all.array();
    }

    /** What the other rank says in the operation that {@link BusyRank} is in, in order. */
    private static List<byte[]> frames() {
        List<byte[]> frames = new ArrayList<>();
        byte[] label = BusyRank.LABEL.getBytes(StandardCharsets.UTF_8);
        frames.add(frame(FrameKind.START, BusyRank.ELEMENTS, 0, BusyRank.LABEL.hashCode(), label));
        int bytes = BusyRank.ELEMENTS * Float.BYTES / 2;
        for (FrameKind kind : List.of(FrameKind.DATA, FrameKind.RESULT)) {
            for (int at = 0; at < bytes; at += Header.PIECE_BYTES) {
                frames.add(frame(kind, at, 0, 0, new byte[Math.min(Header.PIECE_BYTES, bytes - at)]));
            }
        }
        return frames;
    }

    /** What the other rank may say and send of the next operation. */
    private static byte[] early() {
        byte[] label = BusyRank.LABEL.getBytes(StandardCharsets.UTF_8);
        ByteBuffer all = ByteBuffer.allocate(3 * (Header.BYTES + Header.PIECE_BYTES));
        all.put(frame(1, FrameKind.START, BusyRank.ELEMENTS, 0, BusyRank.LABEL.hashCode(), label));
        all.put(frame(1, FrameKind.DATA, 0, 0, 0, new byte[Header.PIECE_BYTES]));
        all.put(frame(1, FrameKind.DATA, Header.PIECE_BYTES, 0, 0, new byte[1000]));
        return Arrays.copyOf(all.array(), all.position());
    }

    @Test
    void whatComesEarlyWaits() throws IOException {
        assertEquals(BusyRank.Outcome.GOES_ON, rank.hear(early()));
    }

    /** Frames that a peer may send, but not at the end. */
    private static List<byte[]> others() {
        return List.of(
                frame(FrameKind.CREDIT, BusyRank.ELEMENTS, 0, 0, new byte[0]),
                frame(FrameKind.BYE, 0, 0, 0, new byte[0]),
                frame(FrameKind.ABORT, 0, 0, 0, "rank 1: why".getBytes(StandardCharsets.UTF_8)));
    }

    private static byte[] frame(FrameKind kind, long value, int credit, int labelHash, byte[] body) {
        return frame(0, kind, value, credit, labelHash, body);
    }

    private static byte[] frame(long sequence, FrameKind kind, long value, int credit, int labelHash, byte[] body) {
        int labelBytes = kind == FrameKind.START ? body.length : 0;
        ByteBuffer bytes = ByteBuffer.allocate(Header.BYTES + body.length);
        new Header(
                        kind,
                        OperationKind.ALL_REDUCE,
                        ReduceOp.SUM,
                        DType.F32,
                        0,
                        sequence,
                        value,
                        0,
                        credit,
                        0,
                        labelHash,
                        labelBytes,
                        body.length)
                .write(bytes);
        return bytes.put(body).array();
    }
}
