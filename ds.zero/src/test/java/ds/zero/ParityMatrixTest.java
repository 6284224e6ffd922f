package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.zero.config.json.ConfigException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The parity law over all combinations: stage, ranks, accumulation, states in files, recomputation, for each precision. A
 * combination that is no training is refused with the key that is wrong. Where sums are formed in the same order
 * the bits are the same; elsewhere losses and weights are within a bound of those of stage 0 on one rank.
 *
 * <p>Adam's epsilon is as large as the gradients, and these are clipped to norm 1, so an update is nearly linear in them and no
 * element moves by more than the learning rate.
 */
class ParityMatrixTest {
    private static final double LEARNING_RATE = 0.1;

    /** The precisions, and how much they round. */
    enum Type {
        FP32("", Math.scalb(72.0, -24)), // sums of 72 rows, in another order
        BF16("\"bf16\": {\"enabled\": true},", Math.scalb(1.0, -8)),
        FP16("\"fp16\": {\"enabled\": true, \"loss_scale\": 128},", Math.scalb(1.0, -11));

        private final String json;
        private final double rounding;

        Type(String json, double rounding) {
            this.json = json;
            this.rounding = rounding;
        }
    }

    /** What lies in files between its uses. */
    enum InFiles {
        NONE,
        OPTIMIZER,
        OPTIMIZER_AND_WEIGHTS;

        /** {@return whether a stage can}: it must have shards of what is in files. */
        boolean at(int stage) {
            return switch (this) {
                case NONE -> true;
                case OPTIMIZER -> stage >= 1;
                case OPTIMIZER_AND_WEIGHTS -> stage == 3;
            };
        }

        /** Tiles of 24 elements: a unit's shard has several, and a parameter lies in two. */
        private String json(Path folder) {
            String nvme = "{\"device\": \"nvme\", \"nvme_path\": \"%s\", \"buffer_count\": 3}".formatted(folder);
            return switch (this) {
                case NONE -> "";
                case OPTIMIZER -> ", \"sub_group_size\": 24, \"offload_optimizer\": " + nvme;
                case OPTIMIZER_AND_WEIGHTS ->
                    ", \"sub_group_size\": 24, \"offload_optimizer\": " + nvme + ", \"offload_param\": " + nvme;
            };
        }
    }

    /** One combination. */
    record Cell(int stage, int ranks, int accumulation, Type type, InFiles files, boolean checkpointing) {
        /** {@return a cell with everything in memory} */
        static Cell plain(int stage, int ranks, int accumulation, Type type) {
            return new Cell(stage, ranks, accumulation, type, InFiles.NONE, false);
        }

        ZeroRun run(Path folder) throws Exception {
            return ZeroRun.of(setup(folder));
        }

        ZeroRun.Setup setup(Path folder) {
            String zero = """
                    "zero_optimization": {"stage": %d, "stage3_param_persistence_threshold": 0,
                     "stage3_max_reuse_distance": 0%s},
                    """.formatted(stage, files.json(folder));
            String recompute = checkpointing ? "\"activation_checkpointing\": {\"number_checkpoints\": 1}," : "";
            return new ZeroRun.Setup(
                    stage, ranks, accumulation, optimizer(LEARNING_RATE) + type.json + zero + recompute);
        }

        /**
         * Cells of one name sum in the same order. Without accumulation a gradient is rounded, summed over ranks and rounded at
         * every stage; with it stages 0 and 1 sum micro-batches first, stages 2 and 3 ranks first. Files and recomputation have
         * no sums of their own.
         */
        String order() {
            boolean ranksFirst = stage >= 2 && accumulation > 1;
            return ranks + " ranks, " + accumulation + " micro-batches, " + (ranksFirst ? "ranks first" : "ranks last");
        }

        /** Cells of one name send the same: what is in files is the rank's own affair, what is recomputed is gathered again. */
        String traffic() {
            return "stage " + stage + ", " + ranks + " ranks, " + accumulation + " micro-batches"
                    + (checkpointing && stage == 3 ? ", recomputed" : "");
        }

        /**
         * Each micro-batch's gradient is rounded when it is kept and when it is added to others, each sum when it has travelled;
         * twice in the reference. Weights that so come to round the other way change what each of the three layers computes by
         * a rounding of its input and one of its weight: six more. Every step adds as much again, as a part of the learning
         * rate.
         */
        double bound() {
            return ZeroRun.STEPS * LEARNING_RATE * (2 * accumulation + 2 + 2 + 6) * type.rounding;
        }
    }

    private static String optimizer(double learningRate) {
        return "\"optimizer\": {\"type\": \"AdamW\", \"params\": {\"lr\": %s, \"eps\": 1, \"weight_decay\": 0.1}},"
                .formatted(learningRate);
    }

    /** {@return all combinations, also those that are no training} */
    private static List<Cell> combinations(Type type) {
        List<Cell> cells = new ArrayList<>();
        for (int stage : new int[] {0, 1, 2, 3}) {
            for (int ranks : new int[] {1, 2, 3, 4}) {
                for (int accumulation : new int[] {1, 3}) {
                    for (InFiles files : InFiles.values()) {
                        for (boolean checkpointing : new boolean[] {false, true}) {
                            cells.add(new Cell(stage, ranks, accumulation, type, files, checkpointing));
                        }
                    }
                }
            }
        }
        return cells;
    }

    @TempDir
    private Path folder;

    @AfterEach
    void nothingIsLeftBehind() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            assertEquals(0, files.count());
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyCellEqualsStageZeroOnOneRank(Type type) throws Exception {
        ZeroRun reference = Cell.plain(0, 1, 1, type).run(folder);
        Map<String, ZeroRun> firstOfOrder = new HashMap<>();
        Map<String, ZeroRun> firstOfTraffic = new HashMap<>();
        Deviation largest = new Deviation(0, 0);
        int count = 0;
        for (Cell cell : combinations(type)) {
            if (!cell.files.at(cell.stage)) {
                var refused = assertThrows(
                        ConfigException.class, () -> cell.setup(folder).config());
                assertTrue(refused.getMessage().contains("zero_optimization.offload_"), refused::getMessage);
                continue;
            }
            count++;
            ZeroRun run = cell.run(folder);
            Deviation deviation = Deviation.between(reference, run);
            assertTrue(deviation.weight <= cell.bound(), cell + ": weights are off by " + deviation.weight);
            // A loss changes by the weights' changes times the gradient, whose norm is that before clipping.
            double lossBound = cell.bound() * Math.sqrt(run.elements()) * largestNorm(reference);
            assertTrue(deviation.loss <= lossBound, cell + ": losses are off by " + deviation.loss);
            largest = largest.or(deviation);
            ZeroRun same = firstOfOrder.putIfAbsent(cell.order(), run);
            if (same != null) {
                assertEquals(same.weights(), run.weights(), () -> cell + ": other bits than " + cell.order());
                assertEquals(losses(same), losses(run), () -> cell + ": other bits than " + cell.order());
            }
            ZeroRun alike = firstOfTraffic.putIfAbsent(cell.traffic(), run);
            if (alike != null) {
                assertEquals(norms(alike), norms(run), () -> cell + ": other norms than " + cell.traffic());
                assertEquals(alike.traffic().elements(), run.traffic().elements(), () -> cell + ": sends otherwise");
            }
        }
        System.out.printf(
                "parity %s: %d cells, largest deviation of a weight %.2e, of a loss %.2e%n",
                type, count, largest.weight, largest.loss);
    }

    /** The bound must be one that a lost contribution breaks: here that of one micro-batch in three. */
    @Test
    void boundIsTight() throws Exception {
        for (Type type : Type.values()) {
            ZeroRun whole = Cell.plain(0, 1, 1, type).run(folder);
            ZeroRun.Setup less = new ZeroRun.Setup(0, 1, 1, optimizer(LEARNING_RATE * 2 / 3) + type.json);
            double deviation = Deviation.between(whole, ZeroRun.of(less)).weight;
            double bound = Cell.plain(3, 4, 3, type).bound();
            assertTrue(deviation > bound, type + ": a third less of each update is " + deviation + ", bound " + bound);
        }
    }

    private static List<Double> losses(ZeroRun run) {
        return run.results().stream().map(StepResult::loss).toList();
    }

    private static List<Double> norms(ZeroRun run) {
        return run.results().stream().map(StepResult::gradientNorm).toList();
    }

    private static double largestNorm(ZeroRun run) {
        return norms(run).stream().mapToDouble(Double::doubleValue).max().orElseThrow();
    }

    private record Deviation(double weight, double loss) {
        static Deviation between(ZeroRun expected, ZeroRun actual) {
            double weight = 0;
            for (var entry : expected.weights().entrySet()) {
                List<Float> other = actual.weights().get(entry.getKey());
                for (int i = 0; i < other.size(); i++) {
                    weight = Math.max(weight, Math.abs(entry.getValue().get(i) - other.get(i)));
                }
            }
            double loss = 0;
            for (int i = 0; i < ZeroRun.STEPS; i++) {
                loss = Math.max(
                        loss, Math.abs(losses(expected).get(i) - losses(actual).get(i)));
            }
            return new Deviation(weight, loss);
        }

        Deviation or(Deviation other) {
            return new Deviation(Math.max(weight, other.weight), Math.max(loss, other.loss));
        }
    }
}
