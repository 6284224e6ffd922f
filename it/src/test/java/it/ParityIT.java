package it;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The parity law with ranks as processes: without accumulation all stages sum in the same order, so that on as many ranks losses and
 * model are the same bits, whatever lies in files and is recomputed. {@link CheckIT} has a dozen cells against PyTorch, and
 * {@code ds.zero}'s matrix has all of them as threads.
 */
class ParityIT {
    private static final Map<String, ?> NVME = Map.of("device", "nvme", "nvme_path", "swap");

    @TempDir
    private Path folder;

    /** One job of two ranks. */
    private record Cell(int stage, boolean optimizerInFiles, boolean weightsInFiles, boolean recomputed) {
        Map<String, Object> blocks() {
            Map<String, Object> zero = new TreeMap<>(Map.of("stage", stage));
            if (stage == 3) {
                zero.put("stage3_param_persistence_threshold", 0);
            }
            if (optimizerInFiles) {
                zero.put("offload_optimizer", NVME);
            }
            if (weightsInFiles) {
                zero.put("offload_param", NVME);
            }
            Map<String, Object> blocks = new TreeMap<>(Map.of(
                    "gradient_accumulation_steps", 1, "bf16", Map.of("enabled", true), "zero_optimization", zero));
            if (recomputed) {
                blocks.put("activation_checkpointing", Map.of("number_checkpoints", 1));
            }
            return blocks;
        }
    }

    private record Trained(List<String> losses, Path model) {}

    private Trained train(TrainingFiles files, Cell cell, String out) throws Exception {
        String config = files.config(out + ".json", cell.blocks());
        DsProcess.run(folder, "launch", "--ranks", "2", "--", "train", "--config", config, "--out", out)
                .exits(0);
        return new Trained(files.losses(out), folder.resolve(out).resolve("model/model.safetensors"));
    }

    @Test
    void everyStageWithAnythingInFilesAndRecomputedIsTheSameBits() throws Exception {
        TrainingFiles files = TrainingFiles.in(folder);
        Trained expected = train(files, new Cell(0, false, false, false), "whole");
        List<Cell> cells = List.of(
                new Cell(0, false, false, true),
                new Cell(1, false, false, false),
                new Cell(1, true, false, true),
                new Cell(2, true, false, false),
                new Cell(2, false, false, true),
                new Cell(3, false, false, false),
                new Cell(3, true, false, true),
                new Cell(3, true, true, false));
        for (Cell cell : cells) {
            Trained trained = train(files, cell, "cell" + cells.indexOf(cell));
            assertEquals(expected.losses(), trained.losses(), cell::toString);
            assertEquals(-1, Files.mismatch(expected.model(), trained.model()), cell::toString);
        }
    }
}
