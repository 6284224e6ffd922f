package ds.comm.tcp.share;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class RingTest {
    private static final int CAPACITY = 1 << 10;

    private final MemorySegment memory = Arena.ofAuto().allocate(Ring.HEADER_BYTES + CAPACITY, 64);
    private final Ring producer = new Ring(memory);
    private final Ring consumer = new Ring(memory);

    @Test
    @Timeout(30)
    void bytesArriveInTheirOrderHoweverTheyAreCut() throws Exception {
        byte[] sent = new byte[3_000_000];
        new Random(1).nextBytes(sent);
        Thread writer = Thread.ofPlatform().start(() -> {
            ByteBuffer source = ByteBuffer.wrap(sent);
            Random cuts = new Random(2);
            while (source.position() < sent.length) {
                source.limit(Math.min(sent.length, source.position() + 1 + cuts.nextInt(2 * CAPACITY)));
                if (producer.write(source) == 0) {
                    pause();
                }
            }
        });
        ByteBuffer received = ByteBuffer.allocate(sent.length);
        Random cuts = new Random(3);
        while (received.position() < sent.length) {
            received.limit(Math.min(sent.length, received.position() + 1 + cuts.nextInt(2 * CAPACITY)));
            if (consumer.read(received) == 0) {
                pause();
            }
        }
        writer.join();
        assertArrayEquals(sent, received.array());
        assertFalse(consumer.readable());
    }

    /** The other thread may need this processor: where there is one only, spinning would take a time slice for every KiB. */
    private static void pause() {
        LockSupport.parkNanos(1);
        if (Thread.currentThread().isInterrupted()) {
            throw new IllegalStateException("nothing moves any more");
        }
    }

    @Test
    void aFullRingTakesNothingUntilSomethingIsRead() {
        assertEquals(CAPACITY, producer.write(ByteBuffer.allocate(CAPACITY + 1)));
        assertFalse(producer.writable());
        assertEquals(0, producer.write(ByteBuffer.allocate(1)));
        assertEquals(1, consumer.read(ByteBuffer.allocate(1)));
        assertTrue(producer.writable());
    }

    @Test
    void onlyWhoSleepsIsWokenAndOnlyOnce() {
        producer.write(ByteBuffer.allocate(1));
        assertFalse(producer.mustWakeConsumer());
        consumer.consumerSleeps(true);
        assertTrue(producer.mustWakeConsumer());
        assertFalse(producer.mustWakeConsumer());
        consumer.consumerSleeps(false);
        producer.producerSleeps(true);
        producer.producerSleeps(false);
        assertFalse(consumer.mustWakeProducer());
    }

    @Test
    void aPositionThatCannotBeIsNoticed() {
        memory.set(ValueLayout.JAVA_LONG, 0, CAPACITY + 1);
        assertThrows(IllegalStateException.class, consumer::readable);
        memory.set(ValueLayout.JAVA_LONG, 0, -1);
        assertThrows(IllegalStateException.class, consumer::readable);
    }
}
