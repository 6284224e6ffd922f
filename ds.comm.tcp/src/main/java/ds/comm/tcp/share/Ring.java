package ds.comm.tcp.share;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;

/**
 * Bytes from one process to another through memory that both have mapped: a ring with one producer and one consumer, each of
 * which owns a counter that only grows. A side that is about to sleep says so in the memory, looks again, and only then has to
 * be woken by the other one: so a busy ring costs no system call.
 *
 * <pre>
 * 0 written 8; 64 read 8; 128 consumer sleeps 8; 192 producer sleeps 8; 256 the bytes
 * </pre>
 */
final class Ring {
    /** What precedes the bytes. */
    static final int HEADER_BYTES = 256;

    /** The consumer may begin before a large piece is there in full. */
    private static final int PUBLISHED_BYTES = 1 << 16;

    private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();
    private static final long WRITTEN = 0;
    private static final long READ = 64;
    private static final long CONSUMER_SLEEPS = 128;
    private static final long PRODUCER_SLEEPS = 192;

    private final MemorySegment memory;
    private final MemorySegment bytes;
    private final long capacity;
    private long mine;
    private long theirs; // as last seen

    /**
     * Views a ring.
     *
     * @param memory zeros at first; the header and a power of two of bytes
     */
    Ring(MemorySegment memory) {
        this.memory = memory;
        bytes = memory.asSlice(HEADER_BYTES);
        capacity = bytes.byteSize();
        if (Long.bitCount(capacity) != 1) {
            throw new IllegalArgumentException("a ring of " + capacity + " bytes; must be a power of two");
        }
    }

    // The producer's side.

    /** {@return whether a byte can be written} */
    boolean writable() {
        return space() > 0;
    }

    private long space() {
        if (mine - theirs == capacity) {
            theirs = position(READ);
        }
        return capacity - (mine - theirs);
    }

    /** Writes what there is room for. */
    int write(ByteBuffer source) {
        int wanted = source.remaining();
        while (source.hasRemaining() && space() > 0) {
            int n = (int) Math.min(Math.min(space(), source.remaining()), PUBLISHED_BYTES);
            long at = mine & (capacity - 1);
            int first = (int) Math.min(n, capacity - at);
            MemorySegment from = MemorySegment.ofBuffer(source);
            MemorySegment.copy(from, 0, bytes, at, first);
            MemorySegment.copy(from, first, bytes, 0, n - first);
            source.position(source.position() + n);
            mine += n;
            LONG.setRelease(memory, WRITTEN, mine);
        }
        return wanted - source.remaining();
    }

    /** {@return whether the consumer sleeps and has to be woken by the caller} */
    boolean mustWakeConsumer() {
        return mustWake(CONSUMER_SLEEPS);
    }

    /** Says that the producer is about to sleep until there is room; look once more then. */
    void producerSleeps(boolean sleeps) {
        LONG.setVolatile(memory, PRODUCER_SLEEPS, sleeps ? 1L : 0L);
        VarHandle.fullFence();
    }

    // The consumer's side.

    /** {@return whether a byte can be read} */
    boolean readable() {
        if (theirs == mine) {
            theirs = position(WRITTEN);
        }
        return theirs != mine;
    }

    /** Reads what there is. */
    int read(ByteBuffer target) {
        int wanted = target.remaining();
        while (target.hasRemaining() && readable()) {
            int n = (int) Math.min(theirs - mine, target.remaining());
            long at = mine & (capacity - 1);
            int first = (int) Math.min(n, capacity - at);
            MemorySegment to = MemorySegment.ofBuffer(target);
            MemorySegment.copy(bytes, at, to, 0, first);
            MemorySegment.copy(bytes, 0, to, first, n - first);
            target.position(target.position() + n);
            mine += n;
            LONG.setRelease(memory, READ, mine);
        }
        return wanted - target.remaining();
    }

    /** {@return whether the producer sleeps and has to be woken by the caller} */
    boolean mustWakeProducer() {
        return mustWake(PRODUCER_SLEEPS);
    }

    /** Says that the consumer is about to sleep until there is something; look once more then. */
    void consumerSleeps(boolean sleeps) {
        LONG.setVolatile(memory, CONSUMER_SLEEPS, sleeps ? 1L : 0L);
        VarHandle.fullFence();
    }

    // Both.

    /** The other side has stored its flag before it looked at our counter for the last time; we the other way round. */
    private boolean mustWake(long flag) {
        VarHandle.fullFence();
        return (long) LONG.getVolatile(memory, flag) != 0 && LONG.compareAndSet(memory, flag, 1L, 0L);
    }

    /** A counter that has been torn or falsified would make this process read what it must not. */
    private long position(long where) {
        long position = (long) LONG.getAcquire(memory, where);
        long distance = where == WRITTEN ? position - mine : mine - position;
        if (distance < 0 || distance > capacity) {
            throw new IllegalStateException("the memory shared with another rank is damaged: " + position + " at byte "
                    + where + ", where " + mine + " was the last position here");
        }
        return position;
    }
}
