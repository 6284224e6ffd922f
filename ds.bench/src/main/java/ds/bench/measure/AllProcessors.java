package ds.bench.measure;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/** The same loop on as many threads as this process has processors. */
public record AllProcessors(int count) {
    private static final int RUNS = 9;
    private static final int WARMUP_RUNS = 5; // until the loop is compiled

    /** {@return as many threads as this process has processors} */
    public static AllProcessors ofThisProcess() {
        return new AllProcessors(Runtime.getRuntime().availableProcessors());
    }

    /**
     * {@return how long it takes until all are done: the median of nine runs in seconds, after five that are not counted}
     *
     * @param loop gets the thread's number, from 0 to count − 1
     */
    public double seconds(IntConsumer loop) {
        for (int i = 0; i < WARMUP_RUNS; i++) {
            run(loop);
        }
        double[] seconds = new double[RUNS];
        for (int i = 0; i < RUNS; i++) {
            seconds[i] = run(loop);
        }
        return Statistics.median(seconds);
    }

    /**
     * {@return how long it takes once until all are done, in seconds}
     *
     * @param loop gets the thread's number, from 0 to count − 1
     */
    public double run(IntConsumer loop) {
        List<Thread> others = new ArrayList<>();
        long start = System.nanoTime();
        for (int i = 1; i < count; i++) {
            int number = i;
            others.add(Thread.ofPlatform().start(() -> loop.accept(number)));
        }
        loop.accept(0);
        try {
            for (Thread other : others) {
                other.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while " + count + " threads were measured", e);
        }
        return (System.nanoTime() - start) * 1e-9;
    }
}
