package examples;

import java.util.ArrayList;
import java.util.List;

/**
 * What must be done to one text to make another of it, line by line, by a longest common subsequence.
 *
 * @param edits in the order of the texts: {@code "-"} before a line that goes, {@code "+"} before one that comes
 */
record LineDiff(List<String> edits) {
    /** {@return the shortest way from one to the other; where lines are replaced, the old ones come first} */
    static LineDiff of(List<String> before, List<String> after) {
        int[][] common = common(before, after);
        List<String> edits = new ArrayList<>();
        int i = 0;
        int j = 0;
        while (i < before.size() || j < after.size()) {
            if (i < before.size() && j < after.size() && before.get(i).equals(after.get(j))) {
                i++;
                j++;
            } else if (j == after.size() || (i < before.size() && common[i + 1][j] >= common[i][j + 1])) {
                edits.add("-" + before.get(i++));
            } else {
                edits.add("+" + after.get(j++));
            }
        }
        return new LineDiff(List.copyOf(edits));
    }

    /** {@return how many lines the texts from i and from j on have in common, for all i and j} */
    private static int[][] common(List<String> before, List<String> after) {
        int[][] common = new int[before.size() + 1][after.size() + 1];
        for (int i = before.size() - 1; i >= 0; i--) {
            for (int j = after.size() - 1; j >= 0; j--) {
                common[i][j] = before.get(i).equals(after.get(j))
                        ? common[i + 1][j + 1] + 1
                        : Math.max(common[i + 1][j], common[i][j + 1]);
            }
        }
        return common;
    }

    /** {@return lines that come, new or in the place of others: what has to be written} */
    long written() {
        return edits.stream().filter(edit -> edit.startsWith("+")).count();
    }
}
