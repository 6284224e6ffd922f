package ds.zero.unit;

import java.util.List;
import java.util.stream.IntStream;

/**
 * Which elements of what a rank owns are kept and updated in one place. Arithmetic only.
 *
 * @param ranges of each unit, inside of what is owned; may be empty
 */
public record Share(List<UnitLayout.Range> ranges) {
    public Share {
        ranges = List.copyOf(ranges);
    }

    /** {@return everything} */
    public static Share whole(Units units) {
        return new Share(
                IntStream.range(0, units.count()).mapToObj(units::owned).toList());
    }

    /** {@return the beginning of every unit, as much as a ratio says, in steps of a shard's multiple} */
    public static Share ofElements(Units units, double ratio) {
        return new Share(IntStream.range(0, units.count())
                .mapToObj(unit -> {
                    UnitLayout.Range owned = units.owned(unit);
                    long steps = Math.round(ratio * owned.elements() / UnitLayout.SHARD_MULTIPLE);
                    long end = Math.min(owned.end(), owned.first() + steps * UnitLayout.SHARD_MULTIPLE);
                    return new UnitLayout.Range(owned.first(), ratio == 1 ? owned.end() : end);
                })
                .toList());
    }

    /** {@return whole units, such that those up to each have about what a ratio says; the same on every rank} */
    public static Share ofUnits(Units units, double ratio) {
        long taken = 0;
        long seen = 0;
        UnitLayout.Range[] ranges = new UnitLayout.Range[units.count()];
        for (int unit = 0; unit < ranges.length; unit++) {
            UnitLayout.Range owned = units.owned(unit);
            seen += owned.elements();
            boolean takes = 2 * (ratio * seen - taken) > owned.elements() || ratio == 1;
            taken += takes ? owned.elements() : 0;
            ranges[unit] = takes ? owned : new UnitLayout.Range(owned.first(), owned.first());
        }
        return new Share(List.of(ranges));
    }

    /** {@return what a share that has the beginnings of units leaves} */
    public Share rest(Units units) {
        return new Share(IntStream.range(0, ranges.size())
                .mapToObj(unit ->
                        new UnitLayout.Range(of(unit).end(), units.owned(unit).end()))
                .toList());
    }

    public UnitLayout.Range of(int unit) {
        return ranges.get(unit);
    }

    public boolean isEmpty() {
        return ranges.stream().allMatch(UnitLayout.Range::isEmpty);
    }

    /** {@return elements of the largest range} */
    public long mostElements() {
        return ranges.stream().mapToLong(UnitLayout.Range::elements).max().orElse(0);
    }
}
