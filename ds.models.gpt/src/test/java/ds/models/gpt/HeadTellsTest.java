package ds.models.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Batch;
import ds.api.layer.GradientSum;
import ds.api.layer.LocalWeights;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import ds.api.layer.Sequential;
import ds.api.layer.Weights;
import ds.tck.ReferenceBackend;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The head tells that its part of the token table's gradient is complete when it is, with several chunks of logits too. */
class HeadTellsTest {
    private static final int T = 24;
    private static final int TWO_CHUNKS = 3_000_000; // tokens, of which 22 rows are a chunk of 256 MiB

    /** Has a copy of each gradient of which it is told. */
    private record Told(LocalWeights inner, List<Parameter> parameters, List<float[]> gradients) implements Weights {
        @Override
        public Tensor value(Parameter parameter) {
            return inner.value(parameter);
        }

        @Override
        public Tensor gradient(Parameter parameter) {
            return inner.gradient(parameter);
        }

        @Override
        public GradientSum gradientSum(Parameter parameter) {
            return inner.gradientSum(parameter);
        }

        @Override
        public void gradientDone(Parameter parameter) {
            parameters.add(parameter);
            gradients.add(inner.gradient(parameter).host().toArray(ValueLayout.JAVA_FLOAT));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {17, TWO_CHUNKS})
    void theTableIsCompleteWhenTheHeadTells(int vocabulary) {
        Sequential model = new Gpt(GptConfig.of(vocabulary, T, 1, 2, 1)).layers();
        Parameter table = model.layers().getFirst().parameters().getFirst();
        try (ReferenceBackend backend = new ReferenceBackend();
                LocalWeights local = new LocalWeights(backend, DType.F32, model.parameters(), 7)) {
            Told told = new Told(local, new ArrayList<>(), new ArrayList<>());
            try (Pass pass = new Pass(backend, DType.F32, told)) {
                Tensor tokens = backend.allocate(DType.I32, Shape.of(1, T), "tokens");
                for (int t = 0; t < T; t++) {
                    tokens.host().setAtIndex(ValueLayout.JAVA_INT, t, 5 * t % 17);
                }
                pass.beginTraining(Batch.of(tokens, tokens, 0), 3, 1, 1);
                model.forward(pass, tokens, new Saved());
            }
            assertEquals(List.of(table), told.parameters());
            assertArrayEquals(
                    local.gradient(table).host().toArray(ValueLayout.JAVA_FLOAT),
                    told.gradients().getFirst());
        }
    }
}
