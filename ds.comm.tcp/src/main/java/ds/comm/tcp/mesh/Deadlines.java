package ds.comm.tcp.mesh;

import ds.comm.tcp.group.Job;
import ds.comm.tcp.group.Operation;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Ends the job when an operation goes without a byte for too long. Before, it asks all ranks for signs of life, again and again,
 * so that it can say who does not run any more. On the thread of the {@link Mesh}.
 */
final class Deadlines {
    private final Job job;
    private final Groups groups;
    private final Duration timeout;
    private final long checkNanos;
    private long nextCheckNanos;

    Deadlines(Job job, Groups groups, Duration timeout) {
        this.job = job;
        this.groups = groups;
        this.timeout = timeout;
        checkNanos = Math.min(TimeUnit.MILLISECONDS.toNanos(500), timeout.toNanos() / 4);
    }

    /** {@return how long the thread may sleep} */
    long checkNanos() {
        return checkNanos;
    }

    /** Looks at all operations under way, if it is time. */
    void check() {
        long now = System.nanoTime();
        if (now - nextCheckNanos < 0) {
            return;
        }
        nextCheckNanos = now + checkNanos;
        boolean[] stalled = new boolean[1];
        groups.forEach(group -> group.forEachLane(lane -> {
            Operation operation = lane.current();
            if (operation != null) {
                long still = now - operation.lastProgressNanos();
                if (still > timeout.toNanos()) {
                    job.fail("no progress for " + timeout.toMillis() + " ms in " + operation.report()
                            + signsOfLife(now));
                }
                stalled[0] |= still > checkNanos;
            }
        }));
        if (stalled[0] && job.state() == Job.State.RUNNING) {
            job.forEachConnection(connection -> connection.alive(true));
        }
    }

    /** {@return who does not run any more, as far as can be seen from here: who only waits for another rank says that it does} */
    private String signsOfLife(long now) {
        List<Integer> silent = new ArrayList<>();
        job.forEachConnection(connection -> {
            if (!connection.left() && now - connection.heardNanos() > timeout.toNanos() / 2) {
                silent.add(connection.peer());
            }
        });
        return silent.isEmpty()
                ? ": all ranks give signs of life, so those named are busy elsewhere, call other operations or wait for others;"
                        + " raise timeout_seconds if they are only slow"
                : ": no sign of life of ranks " + silent
                        + ": they are frozen, or the link to them is cut; raise timeout_seconds"
                        + " if that is to be survived";
    }
}
