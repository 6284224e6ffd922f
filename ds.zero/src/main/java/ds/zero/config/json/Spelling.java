package ds.zero.config.json;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Which known paths somebody may have meant by an unknown one.
 *
 * @param path the unknown one: names joined by dots
 */
public record Spelling(String path) {
    /** More places with the right name than this say nothing: {@code enabled} is a key of many blocks. */
    private static final int MAX_PLACES = 2;

    /**
     * {@return the likeliest paths, at most two} A misspelt sibling is likelier than the right name in another block, and
     * that likelier than a misspelt name in another block.
     */
    List<String> suggestions(Collection<String> known) {
        List<String> siblings = closest(
                known.stream().filter(k -> parent(k).equals(parent(path))).toList());
        if (!siblings.isEmpty()) {
            return siblings.subList(0, 1);
        }
        List<String> elsewhere =
                known.stream().filter(k -> distance(name(k), name(path)) == 0).toList();
        if (!elsewhere.isEmpty()) {
            return elsewhere.size() <= MAX_PLACES ? elsewhere : List.of();
        }
        List<String> misspeltElsewhere = closest(known);
        return misspeltElsewhere.subList(0, Math.min(1, misspeltElsewhere.size()));
    }

    /** {@return the known path that is spelt most alike, all its names counted; empty if none differs by a few letters only} */
    public Optional<String> mostAlike(Collection<String> known) {
        int limit = Math.max(1, path.length() / 4);
        return known.stream()
                .filter(k -> distance(k, path) <= limit)
                .min(Comparator.comparingInt(k -> distance(k, path)));
    }

    private List<String> closest(Collection<String> candidates) {
        int limit = Math.max(1, name(path).length() / 4);
        return candidates.stream()
                .filter(k -> distance(name(k), name(path)) <= limit)
                .sorted(Comparator.comparingInt(k -> distance(name(k), name(path))))
                .toList();
    }

    private static String parent(String path) {
        return path.substring(0, Math.max(0, path.lastIndexOf('.')));
    }

    /** The last part, in the one spelling that makes {@code warmupNumSteps}, {@code WARMUP-NUM-STEPS} and the like equal. */
    private static String name(String path) {
        return path.substring(path.lastIndexOf('.') + 1)
                .toLowerCase(Locale.ROOT)
                .replace("_", "")
                .replace("-", "");
    }

    /** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, each at cost 1. */
    static int distance(String a, String b) {
        int[][] d = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    d[i][j] = i + j;
                    continue;
                }
                int substitution = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
                d[i][j] = Math.min(Math.min(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + substitution);
                if (i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1)) {
                    d[i][j] = Math.min(d[i][j], d[i - 2][j - 2] + 1);
                }
            }
        }
        return d[a.length()][b.length()];
    }
}
