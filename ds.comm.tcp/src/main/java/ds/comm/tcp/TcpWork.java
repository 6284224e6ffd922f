package ds.comm.tcp;

import ds.api.comm.CommunicatorException;
import ds.api.comm.Work;

/** Completed by the thread of the {@link Mesh}, awaited by any other. */
final class TcpWork implements Work {
    private final Mesh mesh;
    private boolean done;
    private String failure;

    TcpWork(Mesh mesh) {
        this.mesh = mesh;
    }

    synchronized void complete() {
        done = true;
        notifyAll();
    }

    synchronized void fail(String message) {
        if (!done) {
            failure = message;
            complete();
        }
    }

    /** Waits without a deadline: the operation has one. */
    @Override
    public void await() {
        try {
            awaitDone();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            mesh.abort("interrupted while it waited");
            throw new CommunicatorException("rank " + mesh.rank() + ": interrupted while it waited", e);
        }
    }

    private synchronized void awaitDone() throws InterruptedException {
        while (!done) {
            wait();
        }
        if (failure != null) {
            throw new CommunicatorException(failure);
        }
    }
}
