package examples.zero;

import ds.api.layer.Sequential;
import ds.zero.ZeroEngine;
import examples.model.CharacterModel;
import examples.model.Text;
import java.nio.file.Path;

/** Trains the character model, and prints the loss of every tenth step. */
public final class ZeroTraining {
    private static final int STEPS = 100;

    private ZeroTraining() {}

    /** The program. */
    public static void main(String[] args) {
        Sequential model = CharacterModel.build();
        try (ZeroEngine engine = ZeroEngine.initialize(model, Path.of(args[0]));
                Text text = new Text(engine.backend(), engine.microBatchSize(), engine.rank(), engine.worldSize())) {
            for (int step = 1; step <= STEPS; step++) {
                double loss = engine.trainBatch(i -> text.next()).loss();
                if (step % 10 == 0) {
                    System.out.printf("step %3d  loss %.6f%n", step, loss);
                }
            }
        }
    }
}
