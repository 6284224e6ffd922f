package ds.models.gpt;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Batch;
import ds.api.layer.LocalWeights;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.RecomputedLayer;
import ds.api.layer.RecomputedLayer.Inputs;
import ds.api.layer.Saved;
import ds.api.layer.Sequential;
import ds.tck.ReferenceBackend;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A GPT with recomputed segments computes the bits of one without, dropout included, over several micro-batches. */
class RecomputedGptTest {
    private static final GptConfig CONFIG =
            GptConfig.of(17, 8, 3, 12, 3).withDropout(new GptConfig.Rates(0.1, 0.2, 0.3));
    private static final int B = 2;
    private static final int T = 6;

    @ParameterizedTest
    @CsvSource({
        "F32,1,ON_DEVICE", "F32,2,ON_DEVICE", "F32,3,ON_DEVICE", "BF16,1,ON_DEVICE", "BF16,2,ON_DEVICE",
        "BF16,3,ON_DEVICE", "F32,1,ON_HOST", "F32,2,ON_HOST", "BF16,1,ON_HOST", "BF16,3,ON_HOST"
    })
    void lossesAndGradientsAreTheSameBits(DType dtype, int layersPerSegment, Inputs inputs) {
        Sequential model = new Gpt(CONFIG).layers();
        assertEquals(run(model, dtype), run(RecomputedLayer.wrap(model, layersPerSegment, inputs), dtype));
    }

    /** {@return losses and the bits of all gradients, of three micro-batches and an evaluation} */
    private static List<String> run(Sequential model, DType dtype) {
        List<String> bits = new ArrayList<>();
        try (ReferenceBackend backend = new ReferenceBackend();
                LocalWeights weights = new LocalWeights(backend, dtype, model.parameters(), 7);
                Pass pass = new Pass(backend, dtype, weights)) {
            Saved saved = new Saved();
            long afterSecond = 0;
            for (int step = 1; step <= 3; step++) {
                Batch batch = Batch.of(tokens(backend, step, 0), tokens(backend, step, 1), 4);
                weights.clearGradients();
                pass.beginTraining(batch, 3, step, 1);
                Tensor loss = model.forward(pass, batch.inputs(), saved);
                bits.add("loss " + loss.host().get(ValueLayout.JAVA_FLOAT, 0));
                model.backward(pass, pass.lossGradient(), saved);
                assertEquals(0, saved.size(), "everything saved was used");
                for (Parameter parameter : model.parameters()) {
                    byte[] gradient = weights.gradient(parameter).host().toArray(ValueLayout.JAVA_BYTE);
                    bits.add(parameter.name() + " " + HexFormat.of().formatHex(gradient));
                }
                long own = backend.memory().liveBytes() - tokenBytes(backend);
                assertEquals(step < 3 ? own : afterSecond, own, "bytes after micro-batch " + step);
                afterSecond = own;
            }
            Batch batch = Batch.of(tokens(backend, 1, 0), tokens(backend, 1, 1), 0);
            pass.beginEvaluation(batch);
            Tensor loss = model.forward(pass, batch.inputs(), saved);
            bits.add("evaluation " + loss.host().get(ValueLayout.JAVA_FLOAT, 0));
        }
        return bits;
    }

    private static long tokenBytes(ReferenceBackend backend) {
        return backend.memory().labels().get("tokens").liveBytes();
    }

    private static Tensor tokens(ReferenceBackend backend, int step, int shift) {
        Tensor tensor = backend.allocate(DType.I32, Shape.of(B, T), "tokens");
        for (int i = 0; i < B * T; i++) {
            tensor.host().setAtIndex(ValueLayout.JAVA_INT, i, (5 * step + 3 * (i + shift)) % 17);
        }
        return tensor;
    }
}
