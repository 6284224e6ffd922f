package ds.comm.tcp.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FlowTest {
    private static final int PIECE = Header.PIECE_BYTES;

    @Test
    void anInboxTakesNoMoreThanItHasGranted() {
        Inflow.Inbox inflow = new Inflow.Inbox(MemorySegment.ofArray(new byte[2 * PIECE]), 5L * PIECE);
        inflow.add(PIECE);
        inflow.add(PIECE);
        assertNull(inflow.accept(2L * PIECE, PIECE), "both places are taken");
        assertTrue(inflow.release(PIECE));
        assertNotNull(inflow.accept(2L * PIECE, PIECE), "one is free again");
        assertFalse(inflow.release(PIECE), "nothing new");
    }

    @Test
    void onlyTheNextPieceIsTaken() {
        Inflow inflow = new Inflow.Straight(Parts.of(MemorySegment.ofArray(new byte[PIECE + 100])));
        assertNull(inflow.accept(PIECE, 100), "too early");
        assertNull(inflow.accept(0, PIECE + 1), "more than a piece could cross the end of a ring");
        assertNotNull(inflow.accept(0, PIECE));
        inflow.add(PIECE);
        assertNull(inflow.accept(0, PIECE), "again");
        assertNull(inflow.accept(PIECE, 101), "beyond the end");
        assertEquals(100, inflow.accept(PIECE, 100).byteSize());
    }

    @Test
    void aPieceEndsWithItsPart() {
        MemorySegment first = MemorySegment.ofArray(new byte[PIECE + 10]);
        Parts parts = Parts.of(first, MemorySegment.ofArray(new byte[20]), MemorySegment.ofArray(new byte[PIECE]));
        assertEquals(2L * PIECE + 30, parts.total());
        assertEquals(PIECE, parts.frameBytes(0));
        assertEquals(10, parts.frameBytes(PIECE));
        assertEquals(20, parts.frameBytes(PIECE + 10));
        assertEquals(PIECE, parts.frameBytes(PIECE + 30));
        assertEquals(0, parts.frameBytes(parts.total()), "there is no more");
        parts.slice(PIECE, 10).set(ValueLayout.JAVA_BYTE, 9, (byte) 7);
        assertEquals(7, first.get(ValueLayout.JAVA_BYTE, PIECE + 9));
    }

    @Test
    void nothingLeavesThatIsNotBothAvailableAndGranted() {
        List<Integer> sent = new ArrayList<>();
        Outflow outflow = new Outflow(
                null, FrameKind.DATA, Parts.of(MemorySegment.ofArray(new byte[PIECE + 10])), false, 0, sent::add);
        assertEquals(0, outflow.ready());
        outflow.grant(Long.MAX_VALUE);
        assertEquals(0, outflow.ready(), "granted, not available");
        outflow.makeAvailable(PIECE);
        assertEquals(PIECE, outflow.ready());
        outflow.take(PIECE);
        assertEquals(0, outflow.ready());
        outflow.makeAvailable(PIECE + 10);
        assertEquals(10, outflow.ready());
        outflow.take(10);
        assertTrue(outflow.exhausted());
        outflow.sent(PIECE);
        assertFalse(outflow.complete());
        outflow.sent(10);
        assertTrue(outflow.complete());
        assertEquals(List.of(PIECE, 10), sent);
    }
}
