package ds.comm.tcp.frame;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.comm.ReduceOp;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

class HeaderTest {
    private static final Header START = new Header(
            FrameKind.START,
            OperationKind.ALL_REDUCE,
            ReduceOp.MAX,
            DType.BF16,
            7L << 32 | 3,
            5,
            1L << 40,
            0,
            4,
            6,
            -9,
            11,
            75);

    private static byte[] bytes(Header header) {
        ByteBuffer buffer = ByteBuffer.allocate(Header.BYTES);
        header.write(buffer);
        assertEquals(0, buffer.remaining());
        return buffer.array();
    }

    @Test
    void whatIsWrittenIsRead() throws Exception {
        assertEquals(START, Header.read(ByteBuffer.wrap(bytes(START))));
    }

    @Test
    void everyChangedByteIsRejectedOrWithinBounds() throws Exception {
        int rejected = 0;
        for (int i = 0; i < Header.BYTES; i++) {
            for (int value = 0; value < 256; value++) {
                byte[] bytes = bytes(START);
                bytes[i] = (byte) value;
                rejected += readsWithinBounds(bytes) ? 0 : 1;
            }
        }
        assertTrue(rejected > 4 * 255, "rejected " + rejected);
    }

    @Test
    void garbageIsRejectedOrWithinBounds() throws Exception {
        Random random = new Random(1);
        byte[] magic = bytes(START);
        for (int i = 0; i < 20_000; i++) {
            byte[] bytes = new byte[Header.BYTES];
            random.nextBytes(bytes);
            System.arraycopy(magic, 0, bytes, 0, i % 9); // the longer the beginning that is right, the deeper it gets
            readsWithinBounds(bytes);
        }
    }

    private static boolean readsWithinBounds(byte[] bytes) {
        try {
            Header header = Header.read(ByteBuffer.wrap(bytes));
            assertTrue(
                    header.bodyBytes() >= 0
                            && header.bodyBytes() <= header.kind().maxBodyBytes(),
                    () -> "" + header);
            assertTrue(header.labelBytes() >= 0 && header.labelBytes() <= header.bodyBytes(), () -> "" + header);
            assertTrue(header.sequence() >= 0 && header.value() >= 0 && header.credit() >= 0, () -> "" + header);
            return true;
        } catch (Header.BadFrame e) {
            return false;
        }
    }

    @Test
    void anOversizedFrameIsNamed() {
        Header data = new Header(
                FrameKind.DATA,
                OperationKind.ALL_REDUCE,
                ReduceOp.SUM,
                DType.F32,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                Header.PIECE_BYTES + 1);
        Header.BadFrame e = assertThrows(Header.BadFrame.class, () -> Header.read(ByteBuffer.wrap(bytes(data))));
        assertTrue(e.getMessage().contains("DATA with a body of " + (Header.PIECE_BYTES + 1)), e.getMessage());
    }
}
