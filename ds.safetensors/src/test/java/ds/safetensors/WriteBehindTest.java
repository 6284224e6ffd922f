package ds.safetensors;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class WriteBehindTest {
    private static final long HALF = WriteBehind.STRIDE_BYTES / 2;

    private final AtomicInteger forced = new AtomicInteger();

    @Test
    void everyStrideIsForcedOnce() throws IOException {
        try (WriteBehind behind = new WriteBehind(forced::incrementAndGet)) {
            for (int half = 1; half <= 7; half++) {
                behind.written(HALF);
                behind.await();
                assertEquals(half / 2, forced.get());
            }
        }
        assertEquals(3, forced.get());
    }

    @Test
    void writingGoesOnWhileTheDeviceIsBusy() throws Exception {
        CountDownLatch busy = new CountDownLatch(1);
        AtomicBoolean done = new AtomicBoolean();
        try (WriteBehind behind = new WriteBehind(() -> {
            await(busy);
            done.set(true);
        })) {
            for (int i = 0; i < 10; i++) {
                behind.written(WriteBehind.STRIDE_BYTES);
            }
            assertFalse(done.get());
            busy.countDown();
        }
        assertTrue(done.get(), "closed before the force was done");
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void failureIsThrownByTheNextCall() throws IOException {
        IOException full = new IOException("no space");
        WriteBehind behind = new WriteBehind(() -> {
            throw full;
        });
        behind.written(WriteBehind.STRIDE_BYTES);
        assertSame(full, assertThrows(IOException.class, behind::await));
        assertSame(full, assertThrows(IOException.class, () -> {
            behind.written(WriteBehind.STRIDE_BYTES);
            behind.written(WriteBehind.STRIDE_BYTES);
        }));
        behind.close();
    }
}
