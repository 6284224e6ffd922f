package ds.cli.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.models.gpt.GptConfig;
import ds.zero.checkpoint.Checkpointer.OnFailure;
import ds.zero.config.json.ConfigException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RunConfigTest {
    @TempDir
    private Path folder;

    private RunConfig parse(String ds) throws IOException {
        Path file = folder.resolve("config.json");
        Files.writeString(file, "{\"train_batch_size\": 8, \"ds\": {" + ds + "}}");
        return RunConfig.parse(file, 2).value();
    }

    private String text() throws IOException {
        Path text = folder.resolve("text.txt");
        Files.writeString(text, "text");
        return "\"data\": {\"text\": [\"" + text + "\"]}";
    }

    @Test
    void shapeTakesTheTokenizersVocabulary() throws IOException {
        RunConfig config = parse(
                "\"model\": {\"layers\": 2, \"channels\": 32, \"heads\": 4, \"positions\": 64, \"dropout\": 0.1}, "
                        + text());
        GptConfig expected = GptConfig.of(257, 64, 2, 32, 4).withDropout(GptConfig.Rates.all(0.1));
        assertEquals(expected, config.model().shape().complete(257));
        assertEquals(4, config.zero().batch().microBatchSize());
    }

    @Test
    void checkpointsAreReadWithTheirDefaults() throws IOException {
        RunCheckpoints.Settings given = parse(text()
                        + ", \"checkpoint\": {\"every\": 7, \"keep_last\": 5, \"asynchronous\": false,"
                        + " \"on_failure\": \"warn\", \"folder\": \"elsewhere\"}")
                .checkpoint();
        assertEquals(
                new RunCheckpoints.Settings(7, 5, false, OnFailure.WARN, Optional.of(Path.of("elsewhere"))), given);
        RunConfig defaults = parse(text() + ", \"train\": {\"steps\": 300}");
        assertEquals(new RunCheckpoints.Settings(30, 2, true, OnFailure.FAIL, Optional.empty()), defaults.checkpoint());
        assertEquals(Path.of("run/checkpoints"), defaults.checkpointFolder(new RunFolder(Path.of("run"))));
        ConfigException e =
                assertThrows(ConfigException.class, () -> parse(text() + ", \"checkpoint\": {\"keep_lst\": 3}"));
        assertTrue(e.getMessage().contains("keep_last"), e.getMessage());
    }

    @Test
    void presetIsTakenByName() throws IOException {
        RunConfig config = parse("\"model\": {\"preset\": \"gpt2-355m\"}, " + text());
        assertEquals(GptConfig.preset("gpt2-355m"), config.model().shape().complete(257));
    }

    @Test
    void stepsOfTheLoopAreKnownToTheSchedule() throws IOException {
        Path file = folder.resolve("config.json");
        Files.writeString(file, """
                {"train_batch_size": 8, "ds": {%s, "train": {"steps": 50}},
                 "scheduler": {"type": "WarmupCosineLR", "params": {"total_num_steps": "auto", "warmup_num_steps": 10}}}
                """.formatted(text()));
        var schedule = RunConfig.parse(file, 1).value().zero().schedule();
        assertTrue(schedule.at(49) < 0.01 * schedule.at(10), "the cosine ends with the run");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "'model': {'preset': 'gpt2-medium'} | ds.model",
                "'model': {'preset': 'gpt2-124m', 'layers': 3} | ds.model.preset",
                "'model': {'channels': 50, 'heads': 3} | ds.model.heads",
                "'model': {'layer': 3} | ds.model.layer",
                "'model': {'from': '/nowhere'} | config.json",
                "'data': {} | ds.data.text",
                "'data': {'text': ['/nowhere/at/all']} | ds.data.text",
                "'data': {'tokens': 't', 'tokenizer': 'bpe'} | ds.data.tokenizer",
                "'train': {'steps': 0} | ds.train.steps",
                "'train': {'stepz': 5} | steps"
            })
    void whatIsWrongIsNamedByItsPath(String ds, String path) {
        Exception e = assertThrows(ConfigException.class, () -> parse(ds.replace('\'', '"')));
        assertTrue(e.getMessage().contains(path), e.getMessage());
    }
}
