package ds.cli.job;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * SIGTERM and SIGINT as a request: a command that listens ends by itself, at a point of its own choice, and its exit code counts.
 * Who sends SIGTERM before it takes a machine away thus gets a run that has saved its work.
 *
 * <p>The system gives a Java process no other way than a hook at its end: the hook waits for the command.
 */
public final class StopRequest {
    private final AtomicBoolean listening = new AtomicBoolean();
    private final CompletableFuture<Integer> ended = new CompletableFuture<>();
    private volatile boolean requested;

    /** Nobody listens yet: a signal ends the process as usual. */
    public StopRequest() {}

    /** From now on a signal is a request; calling it twice does nothing. */
    public void listen() {
        if (listening.compareAndSet(false, true)) {
            Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().name("stop-request").unstarted(this::stop));
        }
    }

    private void stop() {
        requested = true;
        Runtime.getRuntime().halt(ended.join()); // not the 143 that the system would make of it
    }

    /** {@return whether a signal has come} */
    public boolean isRequested() {
        return requested;
    }

    /** Ends the process with this code, whether or not a signal has come meanwhile. */
    public void exit(int code) {
        ended.complete(code);
        System.exit(code);
    }
}
