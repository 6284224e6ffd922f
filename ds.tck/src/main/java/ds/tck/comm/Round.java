package ds.tck.comm;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.stream.IntStream;

/** One operation, from its first rank's arrival until it is done. Guarded by the job's lock, but for {@link #compute}. */
final class Round {
    /** A rank's place in a new group. */
    record Place(InProcessGroup group, int rank) {}

    private final InProcessGroup group;
    private final Key key;
    private final int[] members;
    private final Contribution[] contributions;
    private final Place[] places;
    private volatile boolean done;
    private volatile long startedNanos;
    private volatile long doneNanos;

    Round(InProcessGroup group, Key key) {
        this.group = group;
        this.key = key;
        members = key.pair()
                ? new int[] {key.from(), key.to()}
                : IntStream.range(0, group.worldSize()).toArray();
        contributions = new Contribution[members.length];
        places = new Place[members.length];
    }

    /** {@return whether this rank was the last to arrive, and has to compute} */
    boolean arrive(int rank, Contribution contribution) {
        contributions[index(rank)] = contribution;
        return missing().isEmpty();
    }

    private int index(int rank) {
        return key.pair() && rank == key.to() ? 1 : key.pair() ? 0 : rank;
    }

    List<Integer> missing() {
        return IntStream.range(0, members.length)
                .filter(i -> contributions[i] == null)
                .mapToObj(i -> members[i])
                .toList();
    }

    boolean done() {
        return done;
    }

    void setDone() {
        doneNanos = System.nanoTime();
        done = true;
    }

    /** {@return when the last rank had come; empty before it is done} */
    OptionalLong startedNanos() {
        return done ? OptionalLong.of(startedNanos) : OptionalLong.empty();
    }

    OptionalLong doneNanos() {
        return done ? OptionalLong.of(doneNanos) : OptionalLong.empty();
    }

    /** {@return where a rank stands after a split} */
    Place place(int rank) {
        return places[rank];
    }

    /** {@return what two ranks disagree about} */
    Optional<String> mismatch() {
        Operation expected = contributions[0].operation();
        return IntStream.range(1, members.length)
                .filter(i -> !contributions[i].operation().equals(expected))
                .mapToObj(i -> "the ranks disagree at #" + key.sequence() + ": rank " + members[i] + " calls "
                        + contributions[i].operation() + ", rank " + members[0] + " calls " + expected)
                .findFirst();
    }

    /** Computes for all ranks, on the thread of the last. */
    void compute() {
        startedNanos = System.nanoTime();
        List<Contribution> all = Arrays.asList(contributions);
        all.forEach(contribution -> contribution.after().synchronize());
        Operation operation = all.getFirst().operation();
        switch (operation.name()) {
            case "allReduce" -> Combine.reduce(all, operation.reduce().orElseThrow(), 1);
            case "reduceScatter" -> Combine.reduce(all, operation.reduce().orElseThrow(), members.length);
            case "reduce" -> Combine.reduceTo(all, operation.reduce().orElseThrow(), operation.root());
            case "gather" -> Combine.gather(all, operation.root());
            case "allToAll" -> Combine.allToAll(all);
            case "allGather" -> Combine.allGather(all);
            case "broadcast" -> Combine.broadcast(all, operation.root());
            case "send/receive" -> Combine.broadcast(all, 0);
            case "split" -> split();
            default -> {} // a barrier computes nothing
        }
    }

    private void split() {
        Map<Integer, List<Integer>> colors = new TreeMap<>();
        for (int r = 0; r < members.length; r++) {
            colors.computeIfAbsent(contributions[r].color(), color -> new ArrayList<>())
                    .add(r);
        }
        colors.forEach((color, ranks) -> {
            ranks.sort(Comparator.comparingInt(r -> contributions[r].key()));
            InProcessGroup part = group.part(color, ranks.size());
            for (int i = 0; i < ranks.size(); i++) {
                places[ranks.get(i)] = new Place(part, i);
            }
        });
    }

    @Override
    public String toString() {
        Operation operation = Arrays.stream(contributions)
                .filter(contribution -> contribution != null)
                .findFirst()
                .orElseThrow()
                .operation();
        return operation + " #" + key.sequence() + " of group " + group.name();
    }

    /**
     * Which operation of a group.
     *
     * @param from the sender, or −1 for a collective
     * @param to the receiver, or −1 for a collective
     * @param sequence counted from 0 among the collectives, and among what one rank sends another
     */
    record Key(int from, int to, long sequence) {
        boolean pair() {
            return from >= 0;
        }
    }
}
