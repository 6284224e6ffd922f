package ds.zero.config;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.layer.RecomputedLayer.Inputs;
import org.junit.jupiter.api.Test;

class ActivationCheckpointingConfigTest {
    private static ActivationCheckpointing parse(String json) {
        return ZeroConfig.parse("{\"train_batch_size\": 1, " + json + "}", Known.ofWorld(1))
                .value()
                .checkpointing();
    }

    @Test
    void blockSwitchesItOnByTheNumberOfSegments() {
        var none = new ActivationCheckpointing.None();
        assertEquals(none, parse("\"ds\": {}"));
        assertEquals(none, parse("\"activation_checkpointing\": {}"));
        assertEquals(none, parse("\"activation_checkpointing\": {\"number_checkpoints\": null}"));
        assertEquals(none, parse("\"activation_checkpointing\": {\"number_checkpoints\": 0, \"profile\": true}"));
        assertEquals(
                new ActivationCheckpointing.Segments(3, Inputs.ON_DEVICE),
                parse("\"activation_checkpointing\": {\"number_checkpoints\": 3}"));
        assertEquals(
                new ActivationCheckpointing.Segments(3, Inputs.ON_HOST),
                parse("\"activation_checkpointing\": {\"number_checkpoints\": 3, \"cpu_checkpointing\": true}"));
    }

    @Test
    void ownKeyGivesTheLengthOfSegments() {
        assertEquals(
                new ActivationCheckpointing.Every(2, Inputs.ON_DEVICE), parse("\"ds\": {\"checkpoint_every\": 2}"));
        assertEquals(
                new ActivationCheckpointing.Every(2, Inputs.ON_HOST),
                parse(
                        "\"ds\": {\"checkpoint_every\": 2}, \"activation_checkpointing\": {\"cpu_checkpointing\": true}"));
    }

    @Test
    void contradictionsAreNamed() {
        Configs.ONE_RANK.assertProblem(
                "ds.checkpoint_every",
                "number_checkpoints says something else",
                "\"ds\": {\"checkpoint_every\": 2}, \"activation_checkpointing\": {\"number_checkpoints\": 3}");
        Configs.ONE_RANK.assertProblem(
                "activation_checkpointing.cpu_checkpointing",
                "give number_checkpoints",
                "\"activation_checkpointing\": {\"cpu_checkpointing\": true}");
        Configs.ONE_RANK.assertProblem("ds.checkpoint_every", "at least 1", "\"ds\": {\"checkpoint_every\": 0}");
    }
}
