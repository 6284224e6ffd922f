package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.layer.Layer;
import ds.api.layer.RecomputedLayer.Inputs;
import ds.api.layer.Sequential;
import ds.zero.config.ActivationCheckpointing;
import ds.zero.run.StepResult;
import ds.zero.unit.Visit;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Recomputation in several segments, or from inputs on the host, changes no bit of a run, and tells stage 3 in which order layers
 * are called. One segment at every stage is in {@link ParityMatrixTest}.
 */
class ActivationCheckpointingTest {
    private static final String BF16 = "\"bf16\": {\"enabled\": true},";

    private static ZeroRun run(int stage, int ranks, int accumulation, String more) throws Exception {
        return ZeroRun.of(new ZeroRun.Setup(stage, ranks, accumulation, more));
    }

    @ParameterizedTest
    @CsvSource({"0,2,2,2,true", "1,3,2,2,true", "2,3,1,2,false", "3,2,2,2,false", "3,3,2,1,true", "3,3,2,2,true"})
    void runIsTheSameBits(int stage, int ranks, int accumulation, int checkpoints, boolean onHost) throws Exception {
        String block = "\"activation_checkpointing\": {\"number_checkpoints\": %d, \"cpu_checkpointing\": %s},"
                .formatted(checkpoints, onHost);
        for (String precision : List.of("", BF16)) {
            ZeroRun plain = run(stage, ranks, accumulation, precision);
            ZeroRun recomputed = run(stage, ranks, accumulation, precision + block);
            assertEquals(losses(plain), losses(recomputed));
            assertEquals(plain.weights(), recomputed.weights());
        }
    }

    private static List<Double> losses(ZeroRun run) {
        return run.results().stream().map(StepResult::loss).toList();
    }

    /** Tiny has encode, two hidden layers, decode. Weights gathered for a recomputed forward pass serve its backward pass. */
    @ParameterizedTest
    @CsvSource({
        "1,encode hidden.0 hidden.1 decode | decode hidden.0 hidden.1 hidden.1 hidden.0 encode",
        "2,encode hidden.0 hidden.1 decode | decode hidden.1 hidden.1 hidden.0 hidden.0 encode"
    })
    void orderOfVisitsIsKnownBefore(int segments, String expected) {
        Sequential model = new ActivationCheckpointing.Segments(segments, Inputs.ON_DEVICE).apply(TinyModel.build());
        List<Visit> visits = Visit.ofTraining(model.layers());
        String names = String.join(
                " ", visits.stream().map(Visit::layer).map(Layer::name).toList());
        assertEquals(expected.replace("| ", ""), names);
        long backward = visits.stream()
                .filter(visit -> visit.direction() == Visit.Direction.BACKWARD)
                .count();
        assertEquals(4, backward, "every layer goes back once");
    }

    @Test
    void segmentsCoverAllLayersButTheFirstAndTheLast() {
        Sequential tiny = TinyModel.build();
        assertEquals(4, new ActivationCheckpointing.None().apply(tiny).layers().size());
        assertEquals(3, layers(new ActivationCheckpointing.Segments(1, Inputs.ON_DEVICE)));
        assertEquals(4, layers(new ActivationCheckpointing.Segments(2, Inputs.ON_DEVICE)));
        assertEquals(4, layers(new ActivationCheckpointing.Segments(9, Inputs.ON_DEVICE)));
        assertEquals(4, layers(new ActivationCheckpointing.Every(1, Inputs.ON_DEVICE)));
        assertEquals(3, layers(new ActivationCheckpointing.Every(5, Inputs.ON_DEVICE)));
    }

    private static int layers(ActivationCheckpointing checkpointing) {
        return checkpointing.apply(TinyModel.build()).layers().size();
    }
}
