package ds.zero.config;

import static ds.zero.config.Configs.ONE_RANK;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.zero.config.json.ConfigException;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OptimizerConfigTest {
    private static String optimizer(String type, String params) {
        return "\"optimizer\": {\"type\": \"" + type + "\", \"params\": {" + params + "}}";
    }

    @ParameterizedTest
    @ValueSource(strings = {"Adam", "AdamW", "adamw", "ADAM"})
    void adamIsAdamWWithDeepSpeedsDefaults(String type) {
        assertEquals(
                new OptimizerConfig.Adam(type, 1e-3, 0.9, 0.999, 1e-8, 0, true, true),
                ONE_RANK.parse(optimizer(type, "")).optimizer());
    }

    @Test
    void withoutABlockItIsAdamW() {
        assertEquals(
                new OptimizerConfig.Adam("AdamW", 1e-3, 0.9, 0.999, 1e-8, 0, true, true),
                ONE_RANK.parse("\"bf16\": {}").optimizer());
    }

    @Test
    void parametersAreTaken() {
        String params = "\"lr\": 3e-4, \"betas\": [0.8, 0.95], \"eps\": 1e-6, \"weight_decay\": 0.1, "
                + "\"bias_correction\": false, \"adam_w_mode\": false, \"torch_adam\": true";
        assertEquals(
                new OptimizerConfig.Adam("Adam", 3e-4, 0.8, 0.95, 1e-6, 0.1, false, false),
                ONE_RANK.parse(optimizer("Adam", params)).optimizer());
    }

    @Test
    void autoIsTheDefault() {
        String params = "\"lr\": \"auto\", \"betas\": \"auto\", \"eps\": \"auto\", \"weight_decay\": \"auto\"";
        assertEquals(
                new OptimizerConfig.Adam("AdamW", 1e-3, 0.9, 0.999, 1e-8, 0, true, true),
                ONE_RANK.parse(optimizer("AdamW", params)).optimizer());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "lr | -1 | must be a finite number >= 0",
                "lr | \"1e-3\" | write it without the quotes",
                "lr | true | must be a finite number",
                "betas | [0.9, 1.0] | each a finite number >= 0 and < 1",
                "betas | [0.9] | must be a list of 2 numbers",
                "eps | 0 | must be a finite number > 0",
                "weight_decay | -0.1 | must be a finite number >= 0",
                "bias_correction | 1 | must be true or false",
                "bias_correction | \"auto\" | \"auto\" cannot be resolved",
                "adam_w_mode | false | AdamW always decouples weight decay",
                "amsgrad | true | no AMSGrad variant",
                "max_grad_norm | 1.0 | gradient_clipping",
                "beta | [0.9, 0.99] | did you mean optimizer.params.betas?",
                "learning_rate | 1 | unknown key",
                "stage | 2 | did you mean zero_optimization.stage?",
            })
    void parametersOfABuiltInAreChecked(String key, String value, String text) {
        ONE_RANK.assertProblem("optimizer.params." + key, text, optimizer("AdamW", "\"" + key + "\": " + value));
    }

    @ParameterizedTest
    @ValueSource(strings = {"OneBitLamb", "MuAdam", "MuAdamW", "MuSGD"})
    void deepSpeedsOtherOptimizersAreNotSupportedYet(String type) {
        ONE_RANK.assertProblem(
                "optimizer.type", "is not supported yet; use one of Adam, AdamW", optimizer(type, "\"any\": 1"));
    }

    @Test
    void defaultsAreDeepSpeedsOrPytorchs() {
        assertEquals(
                new OptimizerConfig.Lion("lion", 1e-3, 0.9, 0.999, 0),
                ONE_RANK.parse(optimizer("lion", "")).optimizer());
        assertEquals(
                new OptimizerConfig.Adagrad("Adagrad", 1e-2, 1e-10, 0),
                ONE_RANK.parse(optimizer("Adagrad", "")).optimizer());
        assertEquals(
                new OptimizerConfig.Sgd("sgd", 1e-3, 0, 0, false, 0),
                ONE_RANK.parse(optimizer("sgd", "")).optimizer());
        assertEquals(
                new OptimizerConfig.Lamb("LAMB", 1e-3, 0.9, 0.999, 1e-8, false, 0, true, 0.01, 10),
                ONE_RANK.parse(optimizer("LAMB", "")).optimizer());
        assertEquals(
                muon(0.02, 0.95, 0, new OptimizerConfig.Adam("Muon", 3e-4, 0.9, 0.95, 1e-10, 0, true, true)),
                ONE_RANK.parse(optimizer("Muon", "")).optimizer());
    }

    @Test
    void oneBitAdamIsAdamWUntilItFreezes() {
        assertEquals(
                new OptimizerConfig.OneBitAdam(
                        "OneBitAdam",
                        new OptimizerConfig.Adam("OneBitAdam", 1e-3, 0.9, 0.999, 1e-8, 0, true, true),
                        100_000),
                ONE_RANK.parse(optimizer("OneBitAdam", "\"cuda_aware\": true, \"comm_backend_name\": \"mpi\""))
                        .optimizer());
        assertEquals(
                new OptimizerConfig.OneBitAdam(
                        "onebitadam", new OptimizerConfig.Adam("onebitadam", 0.5, 0.8, 0.9, 1e-3, 0.1, false, true), 7),
                ONE_RANK.parse(optimizer(
                                "onebitadam",
                                "\"lr\": 0.5, \"betas\": [0.8, 0.9], \"eps\": 1e-3, \"weight_decay\": 0.1,"
                                        + " \"bias_correction\": false, \"freeze_step\": 7"))
                        .optimizer());
    }

    @Test
    void intervalsOfZeroOneAdam() {
        var adam = new OptimizerConfig.Adam("ZeroOneAdam", 1e-3, 0.9, 0.999, 1e-8, 0, true, true);
        assertEquals(
                new OptimizerConfig.ZeroOneAdam("ZeroOneAdam", adam, 100_000, 16, 32_678, 16),
                ONE_RANK.parse(optimizer("ZeroOneAdam", "")).optimizer());
        assertEquals(
                new OptimizerConfig.ZeroOneAdam("ZeroOneAdam", adam, 1, 2, 3, 4),
                ONE_RANK.parse(optimizer(
                                "ZeroOneAdam",
                                "\"var_freeze_step\": 1, \"var_update_scaler\": 2, \"local_step_scaler\": 3,"
                                        + " \"local_step_clipper\": 4"))
                        .optimizer());
    }

    @ParameterizedTest
    @ValueSource(strings = {"OneBitAdam", "ZeroOneAdam"})
    void whatIsShardedHasNothingToCompress(String type) {
        String optimizer = optimizer(type, "");
        ONE_RANK.assertProblem(
                "zero_optimization.stage",
                "must be 0 for optimizer.type = " + type,
                optimizer + ", \"zero_optimization\": {\"stage\": 1}");
        ONE_RANK.assertProblem(
                "ds.states.optimizer_states",
                "must be \"fp32\" for optimizer.type = " + type,
                optimizer + ", \"bf16\": {\"enabled\": true}, \"ds\": {\"states\": {\"optimizer_states\": \"bf16\"}}");
    }

    private static OptimizerConfig muon(double rate, double momentum, double decay, OptimizerConfig.Adam others) {
        return new OptimizerConfig.Muon("Muon", rate, momentum, decay, others);
    }

    @Test
    void parametersOfTheOthersAreTaken() {
        assertEquals(
                new OptimizerConfig.Lion("Lion", 1e-4, 0.95, 0.98, 1),
                ONE_RANK.parse(optimizer("Lion", "\"lr\": 1e-4, \"betas\": [0.95, 0.98], \"weight_decay\": 1"))
                        .optimizer());
        String sgd = "\"momentum\": 0.9, \"dampening\": 0.1, \"weight_decay\": 0.2";
        assertEquals(
                new OptimizerConfig.Sgd("SGD", 1e-3, 0.9, 0.1, false, 0.2),
                ONE_RANK.parse(optimizer("SGD", sgd)).optimizer());
        String lamb = "\"min_coeff\": 0.1, \"max_coeff\": 2, \"eps_inside_sqrt\": true, \"bias_correction\": false";
        assertEquals(
                new OptimizerConfig.Lamb("Lamb", 1e-3, 0.9, 0.999, 1e-8, true, 0, false, 0.1, 2),
                ONE_RANK.parse(optimizer("Lamb", lamb)).optimizer());
    }

    /** As in DeepSpeed: one rate for both parts, and each part's own before it. */
    @Test
    void muonsTwoRates() {
        var of = new OptimizerConfig.Adam("Muon", 0.5, 0.9, 0.95, 1e-10, 0, true, true);
        assertEquals(
                muon(0.5, 0.95, 0, of),
                ONE_RANK.parse(optimizer("Muon", "\"lr\": 0.5")).optimizer());
        assertEquals(
                muon(0.25, 0.95, 0, of),
                ONE_RANK.parse(optimizer("Muon", "\"lr\": 0.5, \"muon_lr\": 0.25"))
                        .optimizer());
        assertEquals(
                muon(0.25, 0.95, 0, of),
                ONE_RANK.parse(optimizer("Muon", "\"lr\": 0.25, \"adam_lr\": 0.5"))
                        .optimizer());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "Lion | eps | 1e-8 | does not apply to what this block selects",
                "Lion | betas | [0.9, 1] | each a finite number >= 0 and < 1",
                "Adagrad | betas | [0.9, 0.99] | does not apply",
                "Adagrad | eps | 0 | must be a finite number > 0",
                "Adagrad | lr_decay | 0.1 | unknown key",
                "SGD | momentum | 1 | must be a finite number >= 0 and < 1",
                "SGD | dampening | 1.5 | must be a finite number >= 0 and <= 1",
                "SGD | nesterov | true | needs a momentum and no dampening",
                "SGD | adam_w_mode | true | does not apply",
                "Lamb | min_coeff | 11 | exceeds max_coeff = 10",
                "Lamb | max_coeff | 0 | must be a finite number > 0",
                "Lamb | max_grad_norm | 1 | gradient_clipping",
                "Muon | muon_lr | 0 | must be a finite number > 0",
                "Muon | momentum | -1 | must be a finite number >= 0",
                "Muon | nesterov | true | does not apply",
                "OneBitAdam | freeze_step | 0 | must be a whole number, at least 1",
                "OneBitAdam | freeze_step | 1.5 | must be a whole number",
                "OneBitAdam | adam_w_mode | true | does not apply",
                "OneBitAdam | cuda_aware | 1 | must be true or false",
                "AdamW | freeze_step | 5 | does not apply",
                "ZeroOneAdam | freeze_step | 5 | does not apply",
                "ZeroOneAdam | var_update_scaler | 0 | must be a whole number, at least 1",
                "ZeroOneAdam | local_step_clipper | -1 | must be a whole number, at least 1",
            })
    void parametersOfTheOthersAreChecked(String type, String key, String value, String text) {
        ONE_RANK.assertProblem("optimizer.params." + key, text, optimizer(type, "\"" + key + "\": " + value));
    }

    @Test
    void anyOtherNameIsLeftToTheProviders() {
        String params =
                "\"lr\": 0.5, \"weight_decay\": 0.1, \"momentum\": 0.9, \"nesterov\": true, \"max_grad_norm\": 1";
        var optimizer = (OptimizerConfig.Provided)
                ONE_RANK.parse(optimizer("Sgdm", params)).optimizer();
        assertEquals("Sgdm", optimizer.type());
        assertEquals(0.5, optimizer.learningRate());
        assertEquals(0.1, optimizer.weightDecay());
        assertEquals(Map.of("momentum", "0.9", "nesterov", "true", "max_grad_norm", "1"), texts(optimizer.options()));
    }

    private static Map<String, String> texts(Map<String, Object> options) {
        return Map.of(
                "momentum", String.valueOf(options.get("momentum")),
                "nesterov", String.valueOf(options.get("nesterov")),
                "max_grad_norm", String.valueOf(options.get("max_grad_norm")));
    }

    @Test
    void autoAndNullAreNoOptionsOfAProvider() {
        ONE_RANK.assertProblem(
                "optimizer.params.momentum", "an option of Sgdm", optimizer("Sgdm", "\"momentum\": \"auto\""));
        ONE_RANK.assertProblem("optimizer.params.momentum", "other than null", optimizer("Sgdm", "\"momentum\": null"));
        ONE_RANK.assertProblem("optimizer.params.lr", "must be a finite number", optimizer("Sgdm", "\"lr\": \"fast\""));
    }

    @Test
    void blockItselfIsChecked() {
        ONE_RANK.assertProblem("optimizer", "must be a JSON object", "\"optimizer\": \"AdamW\"");
        ONE_RANK.assertProblem("optimizer.type", "must be a text", "\"optimizer\": {\"type\": 1}");
        ONE_RANK.assertProblem("optimizer.params", "must be a JSON object", "\"optimizer\": {\"params\": []}");
        ONE_RANK.assertProblem("optimizer.lr", "did you mean optimizer.params.lr?", "\"optimizer\": {\"lr\": 1e-3}");
    }

    @Test
    void recordsCheckThemselves() {
        var e = assertThrows(
                ConfigException.class, () -> new OptimizerConfig.Adam("Adam", 1, 1, 0, 1e-8, 0, true, true));
        assertTrue(e.getMessage().startsWith("optimizer.params.betas = 1.0"), e::getMessage);
        assertThrows(ConfigException.class, () -> new OptimizerConfig.Provided("x", Double.NaN, 0, Map.of()));
    }
}
