package ds.zero.config.json;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SpellingTest {
    private static final List<String> KNOWN = List.of(
            "train_batch_size",
            "gradient_clipping",
            "zero_optimization",
            "zero_optimization.stage",
            "zero_optimization.overlap_comm",
            "bf16.enabled",
            "fp16.enabled",
            "amp.enabled",
            "optimizer.type",
            "scheduler.type",
            "scheduler.params.warmup_num_steps");

    @ParameterizedTest
    @CsvSource({
        "train_batchsize, train_batch_size", // one key, however it is cut
        "trainBatchSize, train_batch_size",
        "train-batch-size, train_batch_size",
        "gradient_cliping, gradient_clipping",
        "gradeint_clipping, gradient_clipping",
        "zero_optimisation, zero_optimization",
        "stage, zero_optimization.stage", // the right key in the wrong block
        "zero_optimization.warmup_num_steps, scheduler.params.warmup_num_steps",
        "overlap_com, zero_optimization.overlap_comm", // both at once
        "type, optimizer.type or scheduler.type",
        "enabled, ''", // three places: no hint at all
        "colour, ''"
    })
    void proposesWhatWasMeant(String written, String meant) {
        assertEquals(meant, String.join(" or ", new Spelling(written).suggestions(KNOWN)));
    }

    @ParameterizedTest
    @CsvSource({
        "'', '', 0",
        "abc, abc, 0",
        "abc, ab, 1",
        "abc, acb, 1",
        "abc, xbc, 1",
        "'', abc, 3",
        "kitten, sitting, 3"
    })
    void distanceCountsEdits(String a, String b, int edits) {
        assertEquals(edits, Spelling.distance(a, b));
        assertEquals(edits, Spelling.distance(b, a));
    }
}
