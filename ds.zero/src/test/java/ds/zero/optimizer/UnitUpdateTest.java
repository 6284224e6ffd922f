package ds.zero.optimizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.spi.Optimizer;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** However the elements are dealt to ranks, the same gradients make the same weights. */
class UnitUpdateTest {
    private static final String DECAY = "\"lr\": 0.1, \"weight_decay\": 0.05";

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "AdamW   |",
                "Adam    | \"adam_w_mode\": false",
                "Lion    |",
                "Adagrad |",
                "SGD     |",
                "SGD     | \"momentum\": 0.9, \"nesterov\": true",
                "Muon    | \"adam_lr\": 0.05"
            })
    void sameBitsOnAnyNumberOfRanks(String optimizer, String more) throws Exception {
        String params = DECAY + (more == null ? "" : ", " + more);
        float[][] one = new UnitRun(optimizer, params, 1, false, DType.F32).weights();
        for (int ranks : new int[] {2, 3, 5}) {
            for (boolean sharded : new boolean[] {false, true}) {
                for (DType gradients : List.of(DType.F32, DType.BF16, DType.F16)) {
                    UnitRun run = new UnitRun(optimizer, params, ranks, sharded, gradients);
                    float[][] weights = run.weights();
                    for (int unit = 0; unit < one.length; unit++) {
                        assertArrayEquals(one[unit], weights[unit], run + ", unit " + unit);
                    }
                }
            }
        }
    }

    /** A sum of squares in F64 depends on its order by far less than a rounding of F32: each step may round to a neighbour. */
    @ParameterizedTest
    @ValueSource(ints = {2, 3, 5})
    void normsAreThoseOfWholeParameters(int ranks) throws Exception {
        float[][] one = new UnitRun("Lamb", DECAY, 1, false, DType.F32).weights();
        float[][] whole = new UnitRun("Lamb", DECAY, ranks, false, DType.F32).weights();
        float[][] shards = new UnitRun("Lamb", DECAY, ranks, true, DType.F32).weights();
        float[][] halves = new UnitRun("Lamb", DECAY, ranks, true, DType.BF16).weights();
        for (int unit = 0; unit < one.length; unit++) {
            assertArrayEquals(one[unit], whole[unit], UnitRun.STEPS * Math.ulp(1f));
            assertArrayEquals(whole[unit], shards[unit], "every stage sums the same shards");
            assertArrayEquals(shards[unit], halves[unit], "gradients are exact in either type");
        }
    }

    /** Gradients are exact, so that the numbers before rounding are the same: the random bits must be, too. */
    @ParameterizedTest
    @CsvSource({"AdamW,BF16", "AdamW,SPLIT_AND_BF16", "Lion,BF16", "SGD,SPLIT_AND_BF16"})
    void stochasticRoundingKnowsNoShards(String optimizer, UnitRun.Kept kept) throws Exception {
        float[][] one = new UnitRun(optimizer, DECAY, 1, false, DType.F32, kept).weights();
        for (int ranks = 1; ranks <= 4; ranks++) {
            for (boolean sharded : new boolean[] {false, true}) {
                float[][] other = new UnitRun(optimizer, DECAY, ranks, sharded, DType.F32, kept).weights();
                assertArrayEquals(one[0], other[0], ranks + " ranks, sharded " + sharded);
                assertArrayEquals(one[1], other[1], ranks + " ranks, sharded " + sharded);
            }
        }
    }

    /**
     * Gradients differ from step to step, so that weights tell whether states were kept, and those of LAMB would not move at all
     * without. Muon amplifies rounding in directions in which a momentum has next to nothing; {@link UnitRun} looks at its states.
     */
    @ParameterizedTest
    @CsvSource({"AdamW,0.1", "Lion,0.1", "Adagrad,0.1", "SGD,0.1", "Lamb,0.1", "Muon,1"})
    void statesInBf16FollowThoseInF32(String optimizer, double bound) throws Exception {
        float[][] whole = new UnitRun(optimizer, DECAY, 2, true, DType.F32).weights();
        float[][] low = new UnitRun(optimizer, DECAY, 2, true, DType.F32, UnitRun.Kept.SPLIT_AND_BF16).weights();
        double off = 0;
        double moved = 0;
        for (int unit = 0; unit < whole.length; unit++) {
            for (int i = 0; i < whole[unit].length; i++) {
                off += Math.pow(whole[unit][i] - low[unit][i], 2);
                moved += Math.pow(whole[unit][i] - UnitRun.initial(unit, i), 2);
            }
        }
        assertTrue(Math.sqrt(off / moved) < bound, optimizer + " is off by " + Math.sqrt(off / moved));
    }

    @ParameterizedTest
    @ValueSource(strings = {"Muon", "Lamb"})
    void repeatsBitForBit(String optimizer) throws Exception {
        UnitRun run = new UnitRun(optimizer, DECAY, 3, true, DType.F32);
        float[][] first = run.weights();
        float[][] second = run.weights();
        assertArrayEquals(first[0], second[0]);
        assertArrayEquals(first[1], second[1]);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, Tiles.ELEMENTS, Tiles.ELEMENTS + 1, 2 * Tiles.ELEMENTS + 77})
    void tilesCoverWhatIsOwnedOnceAndAreLimited(long elements) {
        try (ReferenceBackend backend = new ReferenceBackend()) {
            var weights = backend.allocate(DType.F32, ds.api.Shape.of(elements), "test");
            var gradient = backend.allocate(DType.BF16, ds.api.Shape.of(elements), "test");
            var owned = new OwnedUnit.Owned(new StoredElements.F32(weights), gradient, List.of());
            OwnedUnit unit = new OwnedUnit("unit", 3 * elements, elements, elements, owned, List.of());
            try (Tiles tiles =
                    new Tiles(backend, List.of(unit), Transfers.local(backend.kernels(backend.computeStream())))) {
                long next = unit.ownedFirst();
                for (Tiles.Tile tile : tiles.cut(unit, 0, unit.elements(), true)) {
                    assertEquals(next, tile.first());
                    assertTrue(tile.elements() <= Tiles.ELEMENTS, tile::toString);
                    assertEquals(DType.F32, tiles.load(tile).gradient().dtype());
                    next += tile.elements();
                }
                assertEquals(unit.ownedEnd(), next);
                long scratch = backend.memory().labels().get("scratch").liveBytes();
                assertEquals(Float.BYTES * Math.min(elements, Tiles.ELEMENTS), scratch);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void modelWithoutHiddenMatricesIsNoneForMuon(int ranks) throws Exception {
        InProcessCommunicators.run(ranks, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend()) {
                Optimizer muon = Optimizers.of(UnitRun.config("Muon", DECAY));
                Exception e = assertThrows(
                        IllegalArgumentException.class,
                        () -> UnitRun.open(muon, backend, communicator, List.of())
                                .close());
                assertTrue(e.getMessage().contains("use AdamW"), e.getMessage());
            }
        });
    }
}
