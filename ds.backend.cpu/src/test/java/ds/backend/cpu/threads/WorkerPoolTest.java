package ds.backend.cpu.threads;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WorkerPoolTest {
    @ParameterizedTest
    @CsvSource({"1, 10, 3", "2, 1, 1", "2, 1000, 1", "3, 17, 5", "3, 1000, 7", "4, 3, 100"})
    void everyItemIsDoneOnce(int threads, int items, long grain) {
        try (WorkerPool pool = new WorkerPool(threads)) {
            for (int round = 0; round < 50; round++) {
                AtomicIntegerArray done = new AtomicIntegerArray(items);
                pool.run(items, grain, (part, worker) -> {
                    for (long i = part.first(); i < part.last(); i++) {
                        done.incrementAndGet((int) i);
                    }
                });
                for (int i = 0; i < items; i++) {
                    assertEquals(1, done.get(i), "item " + i + ", round " + round);
                }
            }
        }
    }

    @Test
    void allThreadsTakePartUnderDifferentNumbers() {
        try (WorkerPool pool = new WorkerPool(3)) {
            CountDownLatch all = new CountDownLatch(3); // none can go on before three threads have a part each
            Set<Integer> numbers = ConcurrentHashMap.newKeySet();
            Set<Thread> threads = ConcurrentHashMap.newKeySet();
            pool.run(3, 1, (part, worker) -> {
                numbers.add(worker);
                threads.add(Thread.currentThread());
                all.countDown();
                await(all);
            });
            assertEquals(Set.of(0, 1, 2), numbers);
            assertEquals(3, threads.size());
        }
    }

    @Test
    void failureReachesTheCallerAndThePoolLivesOn() {
        try (WorkerPool pool = new WorkerPool(2)) {
            var failure = new ArithmeticException("item 7");
            var thrown = assertThrows(
                    ArithmeticException.class,
                    () -> pool.run(100, 1, (part, worker) -> {
                        if (part.first() == 7) {
                            throw failure;
                        }
                    }));
            assertSame(failure, thrown);
            AtomicIntegerArray done = new AtomicIntegerArray(1);
            pool.run(10, 1, (part, worker) -> done.incrementAndGet(0));
            assertEquals(10, done.get(0));
        }
    }

    @Test
    void closedPoolRefuses() {
        WorkerPool pool = new WorkerPool(2);
        pool.close();
        assertThrows(IllegalStateException.class, () -> pool.run(1, 1, (part, worker) -> {}));
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
