package ds.zero.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.zero.config.json.ConfigException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The keys of ZeRO++, for four ranks. */
class ZeroPlusPlusConfigTest {
    private static String json(int stage, String zero, String more) {
        return """
                {"train_micro_batch_size_per_gpu": 1, "zero_optimization": {"stage": %d%s}%s}
                """.formatted(stage, zero.isEmpty() ? "" : ", " + zero, more.isEmpty() ? "" : ", " + more);
    }

    private static ZeroPlusPlus parse(String zero, String more) {
        return ZeroConfig.parse(json(3, zero, more), Known.ofWorld(4))
                .value()
                .zero()
                .plusPlus();
    }

    @Test
    void keysAreRead() {
        String zero = "\"zero_quantized_weights\": true, \"zero_quantized_gradients\": true,"
                + " \"zero_quantized_nontrainable_weights\": true, \"zero_hpz_partition_size\": 2";
        assertEquals(new ZeroPlusPlus(true, true, 2, 0), parse(zero, ""));
        assertEquals(new ZeroPlusPlus(true, true, 2, 2), parse(zero, "\"ds\": {\"ranks_per_host\": 2}"));
        assertEquals(ZeroPlusPlus.NONE, parse("", ""));
        assertEquals(ZeroPlusPlus.NONE, parse("\"zero_quantized_weights\": false", ""));
    }

    /** Two ranks of a host that share a model's layers are one rank that shards. */
    @Test
    void hostsAreCountedInRanksOfTheJob() {
        String split = "\"tensor_parallel\": {\"autotp_size\": 2}, \"ds\": {\"ranks_per_host\": %d}";
        assertEquals(2, parse("", split.formatted(4)).ranksPerHost());
        assertEquals(1, parse("", split.formatted(2)).ranksPerHost());
        assertEquals(1, parse("", split.formatted(1)).ranksPerHost());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "2 | \"zero_quantized_weights\": true | '' | zero_optimization.zero_quantized_weights | stage to 3",
                "0 | \"zero_quantized_gradients\": true | '' | zero_optimization.zero_quantized_gradients | stage to 1, 2 or 3",
                "3 | \"zero_quantized_gradients\": true | \"communication_data_type\": \"bf16\""
                        + " | zero_optimization.zero_quantized_gradients | remove one of the two",
                "2 | \"zero_hpz_partition_size\": 2 | '' | zero_optimization.zero_hpz_partition_size | stage to 3",
                "3 | \"zero_hpz_partition_size\": 3 | '' | zero_optimization.zero_hpz_partition_size | divisor of 4",
                "3 | \"zero_hpz_partition_size\": 0 | '' | zero_optimization.zero_hpz_partition_size | at least 1",
                "3 | '' | \"ds\": {\"ranks_per_host\": 3} | ds.ranks_per_host | does not divide the 4 ranks",
                "3 | \"zero_hpz_partition_size\": 4 | \"ds\": {\"ranks_per_host\": 2} | ds.ranks_per_host | divisor of 2",
                "3 | \"zeropp_loco_param\": {\"err_beta\": 0.8} | '' | zero_optimization.zeropp_loco_param | remove the block",
            })
    void whatMakesNoSenseIsRefused(int stage, String zero, String more, String path, String text) {
        var e = assertThrows(
                ConfigException.class, () -> ZeroConfig.parse(json(stage, zero, more), Known.ofWorld(4)), zero);
        assertEquals(1, e.problems().size(), e::getMessage);
        assertEquals(path, e.problems().getFirst().path());
        assertTrue(e.getMessage().contains(text), e::getMessage);
    }

    @Test
    void otherStagesKeepWhatTheyHave() {
        ZeroPlusPlus all = new ZeroPlusPlus(true, true, 2, 2);
        assertEquals(all, all.at(ZeroStage.PARAMETERS));
        assertEquals(new ZeroPlusPlus(false, true, 1, 2), all.at(ZeroStage.GRADIENTS));
        assertEquals(new ZeroPlusPlus(false, false, 1, 2), all.at(ZeroStage.DISABLED));
        assertThrows(ConfigException.class, () -> new ZeroPlusPlus(false, false, 0, 0));
        assertThrows(ConfigException.class, () -> new ZeroPlusPlus(false, false, 1, -1));
    }
}
