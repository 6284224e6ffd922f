package ds.comm.tcp.mesh;

import java.nio.channels.Selector;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;

/** What other threads hand to the one that moves all bytes. */
final class Commands implements Executor {
    private final Selector selector;
    private final ArrayDeque<Runnable> queue = new ArrayDeque<>();
    private volatile boolean any;
    private boolean over; // guarded by queue

    /**
     * Holds nothing.
     *
     * @param selector in which the thread may sleep
     */
    Commands(Selector selector) {
        this.selector = selector;
    }

    /** Runs a command on the thread that moves all bytes; on this one, if that has ended. */
    @Override
    public void execute(Runnable command) {
        synchronized (queue) {
            if (over) {
                command.run();
            } else {
                any = true;
                queue.add(command);
            }
        }
        selector.wakeup();
    }

    /** {@return whether there is something to do} */
    boolean any() {
        return any;
    }

    void run() {
        Runnable[] batch;
        synchronized (queue) {
            batch = queue.toArray(Runnable[]::new);
            queue.clear();
            any = false;
        }
        for (Runnable command : batch) {
            command.run();
        }
    }

    /** The thread ends: whoever comes later runs its command itself. */
    void end() {
        synchronized (queue) {
            over = true;
            queue.forEach(Runnable::run);
            queue.clear();
        }
    }
}
