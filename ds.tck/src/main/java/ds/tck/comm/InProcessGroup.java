package ds.tck.comm;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** A group of ranks that share memory: the operations that not all of its ranks have reached. */
final class InProcessGroup {
    private final InProcessJob job;
    private final String name;
    private final int worldSize;
    private final Map<Round.Key, Round> rounds = new HashMap<>();
    private final boolean[] left;

    InProcessGroup(InProcessJob job, String name, int worldSize) {
        this.job = job;
        this.name = name;
        this.worldSize = worldSize;
        left = new boolean[worldSize];
    }

    int worldSize() {
        return worldSize;
    }

    String name() {
        return name;
    }

    InProcessJob job() {
        return job;
    }

    InProcessGroup part(int color, int size) {
        return new InProcessGroup(job, name + "/" + color, size);
    }

    /** Brings a rank's contribution; the last one computes. */
    Round arrive(int rank, Round.Key key, Contribution contribution) {
        Round round = job.locked(() -> {
            job.check("rank " + rank + ": " + contribution.operation());
            return rounds.computeIfAbsent(key, k -> new Round(this, k));
        });
        if (job.locked(() -> enter(rank, key, round, contribution))) {
            compute(rank, round);
        }
        return round;
    }

    private boolean enter(int rank, Round.Key key, Round round, Contribution contribution) {
        boolean last = round.arrive(rank, contribution);
        if (last) {
            rounds.remove(key);
            round.mismatch().ifPresent(job::fail);
        }
        checkLeft(round);
        return last && !job.failed();
    }

    private void compute(int rank, Round round) {
        try {
            round.compute();
            job.locked(() -> {
                round.setDone();
                return round;
            });
        } catch (RuntimeException e) {
            job.fail("rank " + rank + ": " + round + ": " + e);
        }
    }

    /** Takes note that a rank will not come any more. */
    void leave(int rank) {
        job.locked(() -> {
            left[rank] = true;
            rounds.values().forEach(this::checkLeft);
            return left;
        });
    }

    private void checkLeft(Round round) {
        Optional<Integer> gone =
                round.missing().stream().filter(rank -> left[rank]).findFirst();
        gone.ifPresent(rank -> job.fail("rank " + rank + " has left the group, but others wait for it in " + round));
    }

    /** Waits until a round is done. */
    void await(int rank, Round round) {
        job.await("rank " + rank + ": " + round, round::done, () -> round + " waits for ranks " + round.missing());
    }
}
