package ds.zero.unit;

import ds.zero.config.ZeroOptimization;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongUnaryOperator;

/**
 * How what a rank owns of all units is cut for files: into tiles of one parameter group each, small enough that several fit
 * into memory, large enough that a disk delivers what it can. Arithmetic only.
 */
public final class Tiles {
    /** 16 MiB of F32: a disk needs no more, and three of them for Adam take 48. */
    public static final long MOST_ELEMENTS = 4 << 20;

    private final List<Tile> all = new ArrayList<>();
    private final List<List<Tile>> byUnit = new ArrayList<>();

    /**
     * One tile.
     *
     * @param number among all tiles of the rank
     * @param unit in which it lies
     * @param first element, counted from the first that the rank owns in the unit
     * @param inUnit its first element, counted from the unit's first
     * @param elements how many
     * @param decays whether weight decay applies
     */
    public record Tile(int number, int unit, long first, long inUnit, long elements, boolean decays) {
        public UnitLayout.Range range() {
            return new UnitLayout.Range(first, first + elements);
        }
    }

    /** Cuts a share of what is owned. */
    Tiles(Units units, Share share, long mostElements) {
        for (int unit = 0; unit < units.count(); unit++) {
            UnitLayout.Range owned = units.owned(unit);
            List<Tile> ofUnit = new ArrayList<>();
            for (UnitLayout.Group group : units.layout(unit).groups(share.of(unit))) {
                for (long at = group.range().first(); at < group.range().end(); at += mostElements) {
                    long count = Math.min(mostElements, group.range().end() - at);
                    Tile tile = new Tile(all.size(), unit, at - owned.first(), at, count, group.decays());
                    all.add(tile);
                    ofUnit.add(tile);
                }
            }
            byUnit.add(ofUnit);
        }
    }

    /** {@return tiles as large as files want them, unless fewer elements are to be updated at once} */
    public static Tiles ofFiles(Units units, Share share, ZeroOptimization zero) {
        return new Tiles(units, share, Math.min(MOST_ELEMENTS, zero.subGroupElements()));
    }

    public int count() {
        return all.size();
    }

    public List<Tile> ofUnit(int unit) {
        return byUnit.get(unit);
    }

    /** {@return elements of the largest tile} */
    public long mostElements() {
        return all.stream().mapToLong(Tile::elements).max().orElse(0);
    }

    /** {@return bytes of every tile, of which that many for its elements} */
    public long[] bytes(LongUnaryOperator ofElements) {
        return all.stream()
                .mapToLong(tile -> ofElements.applyAsLong(tile.elements()))
                .toArray();
    }
}
