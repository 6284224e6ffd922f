package ds.comm.tcp.connection;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.comm.tcp.flow.Outflow;
import ds.comm.tcp.flow.Parts;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.OperationKind;
import ds.comm.tcp.frame.Subject;
import ds.comm.tcp.wire.FrameChannel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class FrameWriterTest {
    private static final int BURST = 4096;
    private static final int BYTES = 2 * Header.PIECE_BYTES + 100;

    private final Channel channel = new Channel();
    private final FrameWriter writer = new FrameWriter(channel);
    private int sent;

    /** Takes all it is given, or at most so much. */
    private static final class Channel implements FrameChannel {
        private final ByteArrayOutputStream written = new ByteArrayOutputStream();
        private int mostAtOnce = Integer.MAX_VALUE;

        @Override
        public long write(ByteBuffer[] sources, int offset, int length) {
            int taken = 0;
            for (ByteBuffer source : Arrays.asList(sources).subList(offset, offset + length)) {
                taken += take(source, mostAtOnce - taken);
            }
            return taken;
        }

        private int take(ByteBuffer source, int most) {
            byte[] bytes = new byte[Math.min(source.remaining(), most)];
            source.get(bytes);
            written.writeBytes(bytes);
            return bytes.length;
        }

        @Override
        public long write(ByteBuffer[] sources) {
            return write(sources, 0, sources.length);
        }

        @Override
        public int write(ByteBuffer source) {
            return take(source, mostAtOnce);
        }

        @Override
        public int read(ByteBuffer target) {
            return 0;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }

    private MemorySegment operand(Arena arena) {
        return operand(arena, 0, false);
    }

    private MemorySegment operand(Arena arena, long group, boolean urgent) {
        MemorySegment operand = arena.allocate(BYTES);
        for (int i = 0; i < BYTES; i++) {
            operand.set(ValueLayout.JAVA_BYTE, i, (byte) (i * 31));
        }
        Subject subject =
                new Subject(new Descriptor(OperationKind.SEND, DType.I32, BYTES / Integer.BYTES, ""), group, 0);
        Outflow outflow =
                new Outflow(subject, FrameKind.DATA, Parts.of(operand), urgent, BYTES, bytes -> sent += bytes);
        outflow.grant(BYTES);
        writer.add(outflow);
        return operand;
    }

    private void assertArrived(MemorySegment operand) throws Header.BadFrame {
        ByteBuffer frames = ByteBuffer.wrap(channel.written.toByteArray());
        byte[] body = new byte[BYTES];
        for (int at = 0; frames.hasRemaining(); ) {
            Header header = Header.read(frames);
            assertEquals(at, header.value());
            frames.get(body, at, header.bodyBytes());
            at += header.bodyBytes();
        }
        assertArrayEquals(operand.toArray(ValueLayout.JAVA_BYTE), body);
        assertEquals(BYTES, sent);
    }

    @Test
    void aSlowSocketIsGivenABurstAndThenAskedToAsk() throws IOException, Header.BadFrame {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment operand = operand(arena);
            writer.giveAtMost(BURST);
            int flushes = 0;
            for (int before = 0; writer.flush() == FrameWriter.Progress.BLOCKED; flushes++) {
                int given = channel.written.size() - before;
                assertTrue(given <= Header.BYTES + BURST, given + " bytes at once");
                before = channel.written.size();
            }
            assertEquals(2 * Header.PIECE_BYTES / BURST + 1, flushes);
            assertArrived(operand);
        }
    }

    @Test
    void aSocketThatTakesLessIsNotMistaken() throws IOException, Header.BadFrame {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment operand = operand(arena);
            writer.giveAtMost(BURST);
            channel.mostAtOnce = 1000;
            while (writer.flush() != FrameWriter.Progress.IDLE) {
                assertTrue(sent < BYTES || !writer.holdsOperand());
            }
            assertArrived(operand);
        }
    }

    @Test
    void aFastSocketIsGivenAllInOneTurn() throws IOException, Header.BadFrame {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment operand = operand(arena);
            assertEquals(FrameWriter.Progress.IDLE, writer.flush());
            assertArrived(operand);
        }
    }

    @Test
    void whatIsUrgentLeavesFirstAndTheRestInTurns() throws IOException, Header.BadFrame {
        try (Arena arena = Arena.ofConfined()) {
            operand(arena, 1, false);
            operand(arena, 2, false);
            operand(arena, 3, true);
            writer.flush();
            ByteBuffer frames = ByteBuffer.wrap(channel.written.toByteArray());
            List<Long> groups = new ArrayList<>();
            while (frames.hasRemaining()) {
                Header header = Header.read(frames);
                groups.add(header.group());
                frames.position(frames.position() + header.bodyBytes());
            }
            assertEquals(List.of(3L, 3L, 3L), groups.subList(0, 3));
            assertEquals(1, Math.abs(groups.get(3) - groups.get(4)), groups + ": not in turns");
        }
    }
}
