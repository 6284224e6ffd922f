package ds.models.gpt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.layer.Parameter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GptConfigTest {
    /** The counts are those of the published checkpoints; the models are built, not only computed. */
    @ParameterizedTest
    @CsvSource({
        "gpt2-124m, 124439808",
        "gpt2-355m, 354823168",
        "gpt2-774m, 774030080",
        "gpt2-1558m, 1557611200",
        "turing-nlg-17b, 17180859136"
    })
    void presetHasThePublishedNumberOfParameters(String name, long parameters) {
        GptConfig config = GptConfig.preset(name);
        long built = new Gpt(config)
                .layers().parameters().stream().mapToLong(Parameter::elements).sum();
        assertEquals(parameters, config.parameters());
        assertEquals(parameters, built);
    }

    @Test
    void flopsPerTokenLeaveThePositionTableOut() {
        assertEquals(8.552e8, GptConfig.preset("gpt2-124m").flopsPerToken(1024), 1e5);
        assertEquals(1.02796e10, GptConfig.preset("gpt2-1558m").flopsPerToken(1024), 1e5);
    }

    @Test
    void unknownPresetIsAnsweredWithTheKnownOnes() {
        Exception e = assertThrows(IllegalArgumentException.class, () -> GptConfig.preset("gpt2-medium"));
        assertTrue(e.getMessage().contains("gpt2-medium") && e.getMessage().contains("gpt2-355m"), e.getMessage());
    }

    @Test
    void miniatureHasTheSameHeadsButFewOfEverything() {
        GptConfig turing = GptConfig.preset("turing-nlg-17b").withDropout(GptConfig.Rates.all(0.1));
        GptConfig small = turing.miniature();
        assertEquals(turing.headSize(), small.headSize());
        assertEquals(turing.dropout(), small.dropout());
        assertEquals(1, small.layers());
        assertTrue(small.parameters() < 6_000_000, small.toString());
        assertTrue(GptConfig.of(50257, 1024, 4, 4096, 4).miniature().parameters() < 15_000_000, "of wide heads one");
        GptConfig tiny = GptConfig.of(7, 8, 3, 10, 2);
        assertEquals(GptConfig.of(7, 8, 1, 10, 2), tiny.miniature(), "and never more than there are");
    }

    @Test
    void headsMustDivideChannels() {
        Exception e = assertThrows(IllegalArgumentException.class, () -> GptConfig.of(257, 32, 2, 50, 3));
        assertTrue(e.getMessage().contains("50") && e.getMessage().contains("3"), e.getMessage());
    }

    @ParameterizedTest
    @ValueSource(doubles = {-0.1, 1, Double.NaN})
    void dropoutRateOutsideItsRangeIsRejected(double rate) {
        assertThrows(IllegalArgumentException.class, () -> GptConfig.Rates.all(rate));
    }
}
