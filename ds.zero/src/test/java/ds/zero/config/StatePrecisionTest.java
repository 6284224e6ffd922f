package ds.zero.config;

import static ds.zero.config.Configs.ONE_RANK;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.DType;
import ds.zero.config.StatePrecision.MasterWeights;
import ds.zero.config.StatePrecision.Rounding;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class StatePrecisionTest {
    private static final String ON = "\"bf16\": {\"enabled\": true}, ";

    private static StatePrecision parse(String members) {
        return ONE_RANK.parse(members).precision().states();
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"bf16\": {\"enabled\": true}", "\"fp16\": {\"enabled\": true}", "\"bf16\": {}"})
    void statesAreF32UnlessToldOtherwise(String precision) {
        assertEquals(StatePrecision.FULL, parse(precision));
        assertEquals(StatePrecision.FULL, parse(precision + ", \"ds\": {\"states\": {\"master_weights\": \"fp32\"}}"));
    }

    @Test
    void ownKeysChooseEach() {
        String states = "\"ds\": {\"states\": {\"master_weights\": \"split\", \"optimizer_states\": \"bf16\"}}";
        assertEquals(new StatePrecision(MasterWeights.SPLIT, DType.BF16, Rounding.STOCHASTIC), parse(ON + states));
        String nearest = "\"ds\": {\"states\": {\"master_weights\": \"bf16\", \"rounding\": \"nearest\"}}";
        assertEquals(new StatePrecision(MasterWeights.BF16, DType.F32, Rounding.NEAREST), parse(ON + nearest));
    }

    @Test
    void keysOfDeepSpeedMeanTheSame() {
        String masters = "\"bf16\": {\"enabled\": true, \"bf16_master_weights_and_grads\": true}";
        assertEquals(new StatePrecision(MasterWeights.BF16, DType.F32, Rounding.STOCHASTIC), parse(masters));
        assertEquals(DType.BF16, ONE_RANK.parse(masters).gradients().accumulation());
        String both = "\"bf16\": {\"enabled\": true, \"bf16_master_weights_and_grads\": true,"
                + " \"bf16_optimizer_states\": true}";
        assertEquals(new StatePrecision(MasterWeights.BF16, DType.BF16, Rounding.STOCHASTIC), parse(both));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            value = {
                "ds.states.master_weights | must be one of | \"bf16\": {\"enabled\": true}, \"ds\": {\"states\": {\"master_weights\": \"fp8\"}}",
                "ds.states.master_weights | set bf16.enabled to true | \"ds\": {\"states\": {\"master_weights\": \"split\"}}",
                "ds.states.optimizer_states | set bf16.enabled to true | \"fp16\": {\"enabled\": true}, \"ds\": {\"states\": {\"optimizer_states\": \"bf16\"}}",
                "bf16.bf16_optimizer_states | set bf16.enabled to true | \"bf16\": {\"bf16_optimizer_states\": true}",
                "bf16.bf16_optimizer_states | set ds.states.optimizer_states to \"bf16\" | \"bf16\": {\"enabled\": true, \"bf16_optimizer_states\": true}",
                "bf16.bf16_master_weights_and_grads | grad_accum_dtype is fp32 | \"bf16\": {\"enabled\": true, \"bf16_master_weights_and_grads\": true}, \"data_types\": {\"grad_accum_dtype\": \"fp32\"}",
                "ds.states.master_weights | remove one of the two keys | \"bf16\": {\"enabled\": true, \"bf16_master_weights_and_grads\": true}, \"ds\": {\"states\": {\"master_weights\": \"split\"}}",
            })
    void whatCannotBeIsRefused(String path, String text, String members) {
        ONE_RANK.assertProblem(path, text, members);
    }

    @Test
    void splitMastersNeedTheWeightsInMemory() {
        String nvme = "{\"device\": \"nvme\", \"nvme_path\": \"/tmp\"}";
        ONE_RANK.assertProblem(
                "ds.states.master_weights",
                "zero_optimization.offload_param.device is nvme; choose \"fp32\" or \"bf16\"",
                ON + "\"ds\": {\"states\": {\"master_weights\": \"split\"}}, \"zero_optimization\": {\"stage\": 3,"
                        + " \"offload_optimizer\": " + nvme + ", \"offload_param\": " + nvme + "}");
    }
}
