package ds.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Event;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.Work;
import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.OperationKind;
import ds.tck.comm.HostTensors;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is urgent goes before what else is under way. */
@Timeout(60)
class PriorityTest {
    private static final int PIECES = 64;
    private static final long ELEMENTS = (long) PIECES * Header.PIECE_BYTES / Float.BYTES;

    /** What leaves before this rank knows that the peer has begun, and one piece that is on its way. */
    private static final int PIECES_BEFORE = 5;

    /** Taking turns nearly all pieces of the broadcast would come before the last one of what is sent later. */
    @Test
    void whatIsUrgentDoesNotTakeTurns() throws Exception {
        int port = Loopback.freePort();
        CompletableFuture<Void> receiver = RawPeer.playing(1, 2, port, false, peer -> {
            int starts = 0;
            int others = 0;
            for (int urgent = 0; urgent < PIECES; ) {
                Header header = peer.nextFrame();
                boolean isOther = header.operation() == OperationKind.BROADCAST;
                if (header.kind() == FrameKind.START && header.operation() != OperationKind.BARRIER && ++starts == 2) {
                    peer.start(OperationKind.RECEIVE, DType.F32, 0, ELEMENTS, "urgent");
                    peer.start(OperationKind.BROADCAST, DType.F32, 1, ELEMENTS, "weights");
                }
                others += header.kind() == FrameKind.DATA && isOther ? 1 : 0;
                urgent += header.kind() == FrameKind.DATA && !isOther ? 1 : 0;
            }
            assertTrue(others <= PIECES_BEFORE, others + " pieces of the broadcast came before");
            while (others < PIECES) {
                others += peer.nextFrame().kind() == FrameKind.DATA ? 1 : 0;
            }
        });
        try (HostTensors memory = new HostTensors();
                Communicator comm = Loopback.open(0, 2, port, Map.of("shared_memory", false))) {
            Work other = comm.broadcast(memory.zeros(DType.F32, ELEMENTS), 0, Call.now("weights"));
            comm.send(memory.zeros(DType.F32, ELEMENTS), 1, new Call("urgent", Event.DONE, true))
                    .await();
            other.await();
            receiver.get();
        }
    }

    @AfterEach
    void nothingIsLeftRunning() {
        Loopback.assertNoThreads();
    }
}
