package ds.cli.job;

import java.util.concurrent.CompletableFuture;

/**
 * SIGTERM and SIGINT as a request: a command that listens ends by itself, at a point of its own choice, and its exit code counts.
 * Who sends SIGTERM before it takes a machine away thus gets a run that has saved its work.
 *
 * <p>The system gives a Java process no other way than a hook at its end: the hook waits for the command.
 */
public final class StopRequest {
    private final Thread hook = Thread.ofPlatform().name("stop-request").unstarted(this::stop);
    private final CompletableFuture<Integer> ended = new CompletableFuture<>();
    private volatile boolean requested;

    /** Nobody listens yet: a signal ends the process as usual. */
    public StopRequest() {}

    /** From now on a signal is a request, which ends the process with the code that is given to {@link #exit}. */
    public void listen() {
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** From now on a signal ends the process at once, unless one has come already. */
    public void ignore() {
        if (!requested) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                // It comes at this very moment: the process ends as soon as the command does.
            }
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
