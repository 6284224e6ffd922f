package ds.zero.weight;

import ds.zero.config.Stage3;
import ds.zero.unit.Units;
import ds.zero.unit.Visit;
import java.util.Collection;
import java.util.List;
import java.util.Set;

/**
 * Which units a micro-batch needs, and when: the visits of its layers, in order. Arithmetic only. Distances are counted in
 * elements of the units that the visits between need, as {@code stage3_max_reuse_distance} is.
 */
final class GatherPlan {
    private final List<Visit> visits;
    private final List<Set<Integer>> needed;
    private final long[] elements; // of the units of each visit

    GatherPlan(Units units, List<Visit> visits) {
        this.visits = List.copyOf(visits);
        this.needed = visits.stream().map(visit -> needs(units, visit)).toList();
        this.elements = needed.stream()
                .mapToLong(of -> of.stream()
                        .mapToLong(unit -> units.layout(unit).paddedElements())
                        .sum())
                .toArray();
    }

    private static Set<Integer> needs(Units units, Visit visit) {
        return units.unitsOf(
                switch (visit.direction()) {
                    case FORWARD -> visit.layer().parameters();
                    case BACKWARD -> visit.layer().readInBackward();
                });
    }

    /** {@return how many visits there are} */
    int count() {
        return visits.size();
    }

    Visit visit(int at) {
        return visits.get(at);
    }

    /** {@return the units that a visit needs; none behind the last visit} */
    Collection<Integer> needed(int at) {
        return at < count() ? needed.get(at) : Set.of();
    }

    /** {@return the first visit behind {@code at} that needs a unit; {@link #count} if there is none} */
    int nextUse(int unit, int at) {
        int next = at + 1;
        while (next < count() && !needed.get(next).contains(unit)) {
            next++;
        }
        return next;
    }

    /**
     * {@return whether a unit stays gathered after a visit: because the next visit needs it, or one that is fewer than {@link
     * Stage3#maxReuseDistanceElements} away}
     */
    boolean staysAfter(int at, int unit, long maxReuseDistanceElements) {
        int next = nextUse(unit, at);
        if (next == count()) {
            return false;
        }
        long distance = 0;
        for (int between = at + 1; between < next; between++) {
            distance += elements[between];
        }
        return next == at + 1 || distance < maxReuseDistanceElements;
    }
}
