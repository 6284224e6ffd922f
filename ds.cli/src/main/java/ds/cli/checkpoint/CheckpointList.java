package ds.cli.checkpoint;

import ds.zero.checkpoint.Checkpoint;
import ds.zero.checkpoint.CheckpointException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A table of checkpoints, as far as index and file sizes tell. */
public final class CheckpointList {
    private static final double MEGA = 1e6;

    private final List<Row> rows = new ArrayList<>();

    private sealed interface Row {
        String tag();

        record Complete(String tag, Checkpoint checkpoint) implements Row {}

        record Damaged(String tag, String damage) implements Row {}
    }

    /** Looks at each. */
    public CheckpointList(Map<String, Path> checkpoints) {
        checkpoints.forEach((tag, path) -> rows.add(look(tag, path)));
    }

    private static Row look(String tag, Path path) {
        try {
            return new Row.Complete(tag, Checkpoint.open(path));
        } catch (CheckpointException e) {
            return new Row.Damaged(tag, e.getMessage());
        }
    }

    /** {@return whether none is known to be damaged} */
    public boolean isComplete() {
        return rows.stream().allMatch(Row.Complete.class::isInstance);
    }

    /** Prints it for people. */
    public void print(PrintWriter out) {
        String format = "%-20s %10s %12s %6s %6s  %s%n";
        out.printf(Locale.ROOT, format, "tag", "step", "MB", "ranks", "stage", "state");
        for (Row row : rows) {
            switch (row) {
                case Row.Complete(String tag, Checkpoint checkpoint) ->
                    out.printf(
                            Locale.ROOT,
                            format,
                            tag,
                            checkpoint.training().step(),
                            String.format(Locale.ROOT, "%,.1f", checkpoint.byteSize() / MEGA),
                            checkpoint.worldSize(),
                            checkpoint.training().stage(),
                            "complete");
                case Row.Damaged(String tag, String damage) ->
                    out.printf(Locale.ROOT, format, tag, "", "", "", "", "damaged: " + damage);
            }
        }
    }

    /** {@return it for programs: a list of objects} */
    public String toJson() {
        ArrayNode list = JsonMapper.shared().createArrayNode();
        for (Row row : rows) {
            ObjectNode node = list.addObject();
            node.put("tag", row.tag());
            switch (row) {
                case Row.Complete(String tag, Checkpoint checkpoint) -> {
                    node.put("path", checkpoint.folder().toString());
                    node.put("step", checkpoint.training().step());
                    node.put("updates", checkpoint.training().updates());
                    node.put("samples", checkpoint.training().samples());
                    node.put("bytes", checkpoint.byteSize());
                    node.put("ranks", checkpoint.worldSize());
                    node.put("stage", checkpoint.training().stage());
                    node.put("optimizer", checkpoint.training().optimizer());
                    ArrayNode kinds = node.putArray("kinds");
                    checkpoint.kinds().forEach(kinds::add);
                    node.put("state", "complete");
                }
                case Row.Damaged(String tag, String damage) -> {
                    node.put("state", "damaged");
                    node.put("damage", damage);
                }
            }
        }
        return JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(list);
    }
}
