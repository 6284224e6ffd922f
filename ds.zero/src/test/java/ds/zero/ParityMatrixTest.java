package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The parity law over all combinations: stage, ranks, accumulation, for each precision. Where sums are formed in the same order
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

    /** One combination. */
    record Cell(int stage, int ranks, int accumulation, Type type) {
        ZeroRun run() throws Exception {
            String optimizer = "\"optimizer\": {\"type\": \"AdamW\", \"params\": {\"lr\": %s, \"eps\": 1}},";
            return ZeroRun.of(
                    new ZeroRun.Setup(stage, ranks, accumulation, optimizer.formatted(LEARNING_RATE) + type.json));
        }

        /**
         * Cells of one name sum in the same order. Without accumulation a gradient is rounded, summed over ranks and rounded at
         * every stage; with it stages 0 and 1 sum micro-batches first, stages 2 and 3 ranks first.
         */
        String order() {
            boolean ranksFirst = stage >= 2 && accumulation > 1;
            return ranks + " ranks, " + accumulation + " micro-batches, " + (ranksFirst ? "ranks first" : "ranks last");
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

    static Stream<Cell> cells(Type type) {
        List<Cell> cells = new ArrayList<>();
        for (int stage : new int[] {0, 1, 2, 3}) {
            for (int ranks : new int[] {1, 2, 3, 4}) {
                for (int accumulation : new int[] {1, 3}) {
                    cells.add(new Cell(stage, ranks, accumulation, type));
                }
            }
        }
        return cells.stream();
    }

    @ParameterizedTest
    @EnumSource
    void everyCellEqualsStageZeroOnOneRank(Type type) throws Exception {
        ZeroRun reference = new Cell(0, 1, 1, type).run();
        Map<String, ZeroRun> firstOfOrder = new HashMap<>();
        Deviation largest = new Deviation(0, 0);
        for (Cell cell : cells(type).toList()) {
            ZeroRun run = cell.run();
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
        }
        System.out.printf(
                "parity %s: largest deviation of a weight %.2e, of a loss %.2e%n", type, largest.weight, largest.loss);
    }

    /** The bound must be one that a lost contribution breaks: here that of one micro-batch in three. */
    @Test
    void boundIsTight() throws Exception {
        for (Type type : Type.values()) {
            ZeroRun whole = new Cell(0, 1, 1, type).run();
            ZeroRun.Setup other = new ZeroRun.Setup(
                    0,
                    1,
                    1,
                    "\"optimizer\": {\"type\": \"AdamW\", \"params\": {\"lr\": %s, \"eps\": 1}}, %s"
                            .formatted(LEARNING_RATE * 2 / 3, type.json));
            double deviation = Deviation.between(whole, ZeroRun.of(other)).weight;
            double bound = new Cell(3, 4, 3, type).bound();
            assertTrue(deviation > bound, type + ": a third less of each update is " + deviation + ", bound " + bound);
        }
    }

    private static List<Double> losses(ZeroRun run) {
        return run.results().stream().map(StepResult::loss).toList();
    }

    private static double largestNorm(ZeroRun run) {
        return run.results().stream()
                .mapToDouble(StepResult::gradientNorm)
                .max()
                .orElseThrow();
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
