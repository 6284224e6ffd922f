package ds.comm.tcp.connection;

import ds.comm.tcp.frame.Header;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** Byte buffers over operands for a channel; memory of the Java heap has none, and goes through a copy of one piece. */
final class Staging {
    private ByteBuffer copy = ByteBuffer.allocate(0);
    private MemorySegment target = MemorySegment.NULL;

    ByteBuffer toWrite(MemorySegment source) {
        if (source.isNative()) {
            return source.asByteBuffer();
        }
        ByteBuffer buffer = buffer((int) source.byteSize());
        MemorySegment.ofBuffer(buffer).copyFrom(source);
        return buffer;
    }

    ByteBuffer toRead(MemorySegment memory) {
        if (memory.isNative()) {
            return memory.asByteBuffer();
        }
        target = memory;
        return buffer((int) memory.byteSize());
    }

    /** The buffer of {@link #toRead} is full. */
    void finishRead() {
        if (target.byteSize() > 0) {
            target.copyFrom(MemorySegment.ofBuffer(copy.flip()));
            target = MemorySegment.NULL;
        }
    }

    private ByteBuffer buffer(int bytes) {
        if (copy.capacity() < bytes) {
            copy = ByteBuffer.allocateDirect(Header.PIECE_BYTES);
        }
        return copy.clear().limit(bytes);
    }
}
