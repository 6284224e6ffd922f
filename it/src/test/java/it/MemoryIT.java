package it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.zero.plan.RankMemory;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The memory law with ranks as processes, for GPT-2 of 124M parameters: what the backend counts at its peak is the plan, by kind;
 * model states are the ZeRO paper's; and the resident set is no more than that and what a Java machine takes. Two cells, or with
 * {@code -Dit.memory=full} all of 1, 2, 4 ranks and four stages in F32 and BF16, which takes 16 GB.
 */
class MemoryIT {
    private static final double PART = 0.01;

    /** What products of matrices need for themselves, which is the processor's business and not the plan's. */
    private static final String OWN = "matmul";

    @TempDir
    private Path folder;

    /** One job. */
    record Cell(String dtype, int ranks, int stage) {
        /** {@return bytes of model states on a rank, by the formulas of the paper} */
        double states(double psi) {
            double n = ranks;
            boolean mixed = dtype.equals("bf16");
            return switch (stage) {
                case 0 -> 16 * psi;
                case 1 -> mixed ? 4 * psi + 12 * psi / n : 8 * psi + 8 * psi / n;
                case 2 -> mixed ? 2 * psi + 14 * psi / n : 4 * psi + 12 * psi / n;
                default -> 16 * psi / n;
            };
        }
    }

    static Stream<Cell> cells() {
        if (!"full".equals(System.getProperty("it.memory"))) {
            return Stream.of(new Cell("bf16", 2, 3), new Cell("fp32", 2, 1));
        }
        return Stream.of("fp32", "bf16")
                .flatMap(dtype -> Stream.of(1, 2, 4)
                        .flatMap(ranks -> Stream.of(0, 1, 2, 3).map(stage -> new Cell(dtype, ranks, stage))));
    }

    @ParameterizedTest
    @MethodSource("cells")
    void measuredIsPlannedAndModelStatesAreThePapers(Cell cell) throws Exception {
        String[] command = {
            "bench",
            "step",
            "--model",
            "gpt2-124m",
            "--micro-batch",
            "1",
            "--seq",
            "32",
            "--steps",
            "1",
            "--dtype",
            cell.dtype,
            "--ranks",
            Integer.toString(cell.ranks),
            "--stage",
            Integer.toString(cell.stage)
        };
        JsonNode run = JsonMapper.shared()
                .readTree(DsProcess.run(folder, command).exits(0).out());
        JsonNode planned = run.get("planned_bytes");
        JsonNode measured = run.get("peak_bytes");
        long own = measured.path(OWN).asLong(0);
        for (Map.Entry<String, JsonNode> kind : planned.properties()) {
            assertPlanned(
                    kind.getValue().asLong(),
                    kind.getKey().equals("total") ? own : 0,
                    measured.get(kind.getKey()).asLong(),
                    cell + ", " + kind.getKey());
            System.out.printf(
                    "memory %s, stage %d, rank 1 of %d, %s: planned %d, measured %d%n",
                    cell.dtype,
                    cell.stage,
                    cell.ranks,
                    kind.getKey(),
                    kind.getValue().asLong(),
                    measured.get(kind.getKey()).asLong());
        }
        assertNear(
                cell.states(run.get("parameters").asDouble()),
                run.get("model_state_bytes").asLong(),
                cell + ", states");
        assertEquals(cell.ranks, run.get("ranks_peak_bytes").size());
        for (int rank = 0; rank < cell.ranks; rank++) {
            long peak = run.get("ranks_peak_bytes").get(rank).asLong();
            long resident = run.get("ranks_max_rss_bytes").get(rank).asLong();
            System.out.printf(
                    "memory %s, stage %d, rank %d of %d: planned %d, measured %d, resident %d, own %d%n",
                    cell.dtype,
                    cell.stage,
                    rank + 1,
                    cell.ranks,
                    planned.get("total").asLong(),
                    peak,
                    resident,
                    resident - peak);
            assertPlanned(planned.get("total").asLong(), own, peak, cell + ", rank " + rank);
            assertTrue(resident <= RankMemory.needed(peak), cell + ", rank " + rank + " takes " + resident);
        }
    }

    /** @param own what is there besides at some time, not necessarily when the planned is most */
    private static void assertPlanned(long planned, long own, long actual, String what) {
        assertNear(Math.clamp(actual, planned, planned + own), actual, what);
    }

    private static void assertNear(double expected, long actual, String what) {
        assertEquals(expected, actual, PART * expected, what);
    }
}
