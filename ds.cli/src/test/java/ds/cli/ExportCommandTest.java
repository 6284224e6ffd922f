package ds.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.layer.Parameter;
import ds.cli.model.HostParameters;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.models.gpt.HuggingFace;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExportCommandTest {
    private static final GptConfig CONFIG = GptConfig.of(23, 10, 2, 12, 2);

    private final CapturedConsole captured = new CapturedConsole();

    @TempDir
    private Path folder;

    /** {@return a run's folder; element i of each tensor is (i + 1) · scale} */
    private Path run(float scale) {
        List<Parameter> parameters = new Gpt(CONFIG).layers().parameters();
        try (var store = new HostParameters(parameters);
                Arena arena = Arena.ofConfined()) {
            for (Parameter parameter : parameters) {
                MemorySegment values = arena.allocate(parameter.elements() * Float.BYTES, 64);
                for (long i = 0; i < parameter.elements(); i++) {
                    values.setAtIndex(ValueLayout.JAVA_FLOAT, i, (i + 1) * scale);
                }
                store.write(parameter, values);
            }
            HuggingFace.write(folder.resolve("run/model"), CONFIG, store, DType.F32, true);
        }
        return folder.resolve("run");
    }

    @ParameterizedTest
    @ValueSource(strings = {"fp32", "bf16", "fp16"})
    void modelOfRunIsReadBack(String dtype) {
        Path out = folder.resolve("out");
        assertEquals(
                0,
                captured.ds("export", "--run", run(0.01f).toString(), "--out", out.toString(), "--dtype", dtype),
                captured.err());
        assertEquals(CONFIG, HuggingFace.readConfig(out));
        assertTrue(Files.exists(out.resolve("model.safetensors")));
        assertTrue(captured.out().contains("in " + dtype), captured.out());
    }

    @Test
    void valuesOutOfRangeAreFound() {
        String out = folder.resolve("out").toString();
        assertEquals(1, captured.ds("export", "--run", run(1000f).toString(), "--out", out, "--dtype", "fp16"));
        assertTrue(captured.err().contains("out of this type's range"), captured.err());
    }

    @Test
    void nothingIsOverwritten() {
        String model = run(1).resolve("model").toString();
        assertEquals(1, captured.ds("export", "--model", model, "--out", model));
        assertTrue(captured.err().contains("not empty"), captured.err());
    }

    @Test
    void sourceIsOneOfTwo() {
        assertEquals(2, captured.ds("export", "--out", "x"));
        assertEquals(2, captured.ds("export", "--run", "a", "--model", "b", "--out", "x"));
        assertTrue(captured.err().contains("mutually exclusive"), captured.err());
    }
}
