package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.zero.config.json.ConfigException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The parity law over all combinations: stage, ranks, accumulation, precision, what lies in files, recomputation. Where sums are
 * formed in the same order the bits are the same; elsewhere losses and weights are within a bound of those of stage 0 on one rank.
 * Combinations that cannot be are refused by name.
 *
 * <p>Adam's epsilon is as large as the gradients, and these are clipped to norm 1, so an update is nearly linear in them and no
 * element moves by more than the learning rate.
 */
class ParityMatrixTest {
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
    void everyCellEqualsStageZeroOnOneRank(ParityCell.Type type) throws Exception {
        List<ParityCell> cells = ParityCell.all(type).stream()
                .filter(cell -> cell.refused().isEmpty())
                .toList();
        assertEquals(2 * 8 * (4 + 3 + 1), cells.size(), "in memory at four stages, the optimizer at three, all at one");
        ZeroRun reference = ParityCell.reference(type).run(folder);
        Map<String, ZeroRun> firstOfOrder = new HashMap<>();
        Map<String, Long> sent = new HashMap<>();
        Map<String, Deviation> largest = new TreeMap<>();
        Map<String, Integer> counts = new TreeMap<>();
        for (ParityCell cell : cells) {
            ZeroRun run = cell.run(folder);
            Deviation deviation = Deviation.between(reference, run);
            assertWithinBounds(cell, reference, deviation);
            assertSameBits(cell, firstOfOrder.computeIfAbsent(cell.order(), order -> run), run);
            long elements = run.traffic().elements();
            assertEquals(sent.computeIfAbsent(cell.traffic(), name -> elements), elements, cell + ": sends otherwise");
            String kind = cell.sumsAsReference() ? "same order" : "other order";
            largest.merge(kind, deviation, Deviation::or);
            counts.merge(kind, 1, Integer::sum);
        }
        largest.forEach((kind, most) -> System.out.printf(
                "parity %s, %s: %d cells, largest deviation of a weight %.2e, of a loss %.2e, of the first norm %.2e%n",
                type, kind, counts.get(kind), most.weight(), most.loss(), most.firstNorm()));
        assertEquals(Deviation.ZERO, largest.get("same order"));
    }

    private static void assertWithinBounds(ParityCell cell, ZeroRun reference, Deviation deviation) {
        double bound = cell.weightBound();
        assertTrue(deviation.weight() <= bound, cell + ": weights are off by " + deviation.weight());
        // A loss changes by the weights' changes times the gradient, whose norm is that before clipping.
        double lossBound = bound * Math.sqrt(reference.elements()) * Collections.max(reference.norms());
        assertTrue(deviation.loss() <= lossBound, cell + ": losses are off by " + deviation.loss());
        assertTrue(
                deviation.firstNorm() <= cell.gradientBound(), cell + ": the norm is off by " + deviation.firstNorm());
    }

    private static void assertSameBits(ParityCell cell, ZeroRun expected, ZeroRun actual) {
        assertEquals(expected.weights(), actual.weights(), () -> cell + ": other bits than " + cell.order());
        assertEquals(expected.losses(), actual.losses(), () -> cell + ": other bits than " + cell.order());
        // Stages with whole sums and with shards add the same squares in the same order.
        assertEquals(expected.norms(), actual.norms(), () -> cell + ": other bits than " + cell.order());
    }

    @Test
    void combinationsThatCannotBeAreRefusedByName() {
        List<ParityCell> all = Arrays.stream(ParityCell.Type.values())
                .flatMap(type -> ParityCell.all(type).stream())
                .toList();
        assertEquals(4 * 4 * 2 * 3 * 3 * 2, all.size());
        List<ParityCell> invalid =
                all.stream().filter(cell -> !cell.refused().isEmpty()).toList();
        assertEquals(
                3 * 16 * (1 + 3), invalid.size(), "the optimizer's states at stage 0, the weights at three stages");
        for (ParityCell cell : invalid) {
            var e = assertThrows(ConfigException.class, () -> cell.config(folder), cell::toString);
            List<String> paths =
                    e.problems().stream().map(ConfigException.Problem::path).toList();
            assertEquals(cell.refused(), paths, cell::toString);
        }
    }

    /** The bound must be one that a lost contribution breaks: here that of one micro-batch in three. */
    @ParameterizedTest
    @EnumSource
    void boundIsTight(ParityCell.Type type) throws Exception {
        ParityCell reference = ParityCell.reference(type);
        ZeroRun whole = reference.run(folder);
        ZeroRun less = ZeroRun.of(reference.setup(ParityCell.LEARNING_RATE * 2 / 3, folder));
        double deviation = Deviation.between(whole, less).weight();
        double bound = new ParityCell(3, 4, 3, type, ParityCell.Offload.OPTIMIZER_AND_PARAMETERS, true).weightBound();
        assertTrue(deviation > bound, type + ": a third less of each update is " + deviation + ", bound " + bound);
    }
}
