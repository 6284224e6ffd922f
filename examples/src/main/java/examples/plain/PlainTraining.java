package examples.plain;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Batch;
import ds.api.layer.LocalWeights;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import ds.api.layer.Sequential;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import examples.model.CharacterModel;
import examples.model.Text;
import java.lang.foreign.ValueLayout;

/** Trains the character model, and prints the loss of every tenth step. */
public final class PlainTraining {
    private static final int STEPS = 100;
    private static final int BATCH = 64;
    private static final long SEED = 42;

    private PlainTraining() {}

    /** The program. */
    public static void main(String[] args) {
        Sequential model = CharacterModel.build();
        try (TensorBackend backend = Providers.backends().get("cpu").open(0, ProviderOptions.none("ds.backend"));
                LocalWeights weights = new LocalWeights(backend, DType.F32, model.parameters(), SEED);
                AdamW optimizer = new AdamW(backend, weights);
                Pass pass = new Pass(backend, DType.F32, weights);
                Text text = new Text(backend, BATCH, 0, 1)) {
            Saved saved = new Saved();
            for (int step = 1; step <= STEPS; step++) {
                Batch batch = text.next();
                weights.clearGradients();
                pass.beginTraining(batch, SEED, step, 1);
                Tensor output = model.forward(pass, batch.inputs(), saved);
                model.backward(pass, pass.lossGradient(), saved);
                optimizer.step(step);
                double loss = output.host().get(ValueLayout.JAVA_FLOAT, 0);
                if (step % 10 == 0) {
                    System.out.printf("step %3d  loss %.6f%n", step, loss);
                }
            }
        }
    }
}
