package ds.models.gpt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Batch;
import ds.api.layer.LocalWeights;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import ds.api.layer.Sequential;
import ds.safetensors.SafetensorsFile;
import ds.tck.ReferenceBackend;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The layers, on scalar kernels, against values that PyTorch computed for a small GPT-2. */
class PytorchReferenceTest {
    private static final Path FOLDER = Path.of("src/test/resources/gpt2-tiny");
    private static final int B = 4;
    private static final int T = 16;

    /** F32 sums of at most a few hundred terms on both sides, through two blocks: some hundred roundings of 2^-24. */
    private static final double BOUND = 2e-5;

    private final ReferenceBackend backend = new ReferenceBackend();
    private final GptConfig config = HuggingFace.readConfig(FOLDER).withDropout(GptConfig.Rates.NONE);
    private final Gpt gpt = new Gpt(config);
    private final Sequential model = gpt.layers();
    private final LocalWeights weights = new LocalWeights(backend, DType.F32, model.parameters(), 1);
    private final Pass pass = new Pass(backend, DType.F32, weights);
    private SafetensorsFile expected;

    @BeforeEach
    void load() {
        HuggingFace.read(FOLDER, weights);
        expected = SafetensorsFile.open(FOLDER.resolve("first_batch.safetensors"));
    }

    @AfterEach
    void close() {
        expected.close();
        pass.close();
        weights.close();
        backend.close();
    }

    @Test
    void logitsAreThoseOfPytorch() {
        pass.beginEvaluation(Batch.of(tokens(0)));
        Tensor logits = model.forward(pass, pass.batch().inputs(), new Saved());
        assertEquals(Shape.of(B, T, 257), logits.shape());
        assertClose("logits", expected.data("logits"), logits);
    }

    @Test
    void lossAndAllGradientsAreThoseOfPytorch() {
        pass.beginTraining(Batch.of(tokens(0), tokens(1), 0), 1, 1, 1);
        Saved saved = new Saved();
        Tensor loss = model.forward(pass, pass.batch().inputs(), saved);
        assertEquals(5.593503952026367, loss.host().get(ValueLayout.JAVA_FLOAT, 0), 1e-5);
        model.backward(pass, pass.lossGradient(), saved);
        assertEquals(0, saved.size(), "everything saved was used");
        for (Parameter parameter : model.parameters()) {
            String name = "grad.transformer." + parameter.name();
            assertClose(name, expected.data(name), weights.gradient(parameter));
        }
    }

    /** {@return inputs (shift 0) or targets (shift 1) of the first micro-batch of {@code [steps, B, T + 1]}} */
    private Tensor tokens(int shift) {
        Tensor tensor = backend.allocate(DType.I32, Shape.of(B, T), "tokens");
        try (SafetensorsFile file = SafetensorsFile.open(FOLDER.resolve("tokens.safetensors"))) {
            MemorySegment all = file.data("tokens");
            for (int b = 0; b < B; b++) {
                for (int t = 0; t < T; t++) {
                    int token = all.getAtIndex(ValueLayout.JAVA_INT_UNALIGNED, b * (T + 1L) + t + shift);
                    tensor.host().setAtIndex(ValueLayout.JAVA_INT, (long) b * T + t, token);
                }
            }
        }
        return tensor;
    }

    private static void assertClose(String name, MemorySegment expected, Tensor actual) {
        double largest = 0;
        double error = 0;
        for (long i = 0; i < actual.elements(); i++) {
            float e = expected.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i);
            largest = Math.max(largest, Math.abs(e));
            error = Math.max(error, Math.abs(e - actual.host().getAtIndex(ValueLayout.JAVA_FLOAT, i)));
        }
        assertTrue(error <= BOUND * largest, name + ": error " + error + ", largest value " + largest);
    }
}
