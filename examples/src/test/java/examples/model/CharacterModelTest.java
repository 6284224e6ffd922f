package examples.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.tck.GradientCheck;
import ds.tck.ReferenceBackend;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class CharacterModelTest {
    @Test
    void backwardIsTheDerivativeOfForward() {
        try (ReferenceBackend backend = new ReferenceBackend();
                Text text = new Text(backend, 3, 0, 1)) {
            GradientCheck.of(CharacterModel.build(), backend).verify(text.next());
        }
    }

    @Test
    void ranksTogetherSeeWhatOneRankSees() {
        try (ReferenceBackend backend = new ReferenceBackend()) {
            int[] alone = targets(backend, 6, 0, 1);
            int[] together = IntStream.concat(
                            Arrays.stream(targets(backend, 3, 0, 2)), Arrays.stream(targets(backend, 3, 1, 2)))
                    .toArray();
            assertEquals(Arrays.toString(alone), Arrays.toString(together));
        }
    }

    private static int[] targets(ReferenceBackend backend, int rows, int rank, int worldSize) {
        try (Text text = new Text(backend, rows, rank, worldSize)) {
            return text.next().targets().orElseThrow().host().toArray(ValueLayout.JAVA_INT);
        }
    }
}
