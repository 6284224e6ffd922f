package ds.models.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Shape;
import ds.api.layer.LocalWeights;
import ds.api.layer.Parameter;
import ds.safetensors.SafetensorsWriter;
import ds.tck.ReferenceBackend;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HuggingFaceTest {
    private static final GptConfig CONFIG = GptConfig.of(19, 8, 2, 12, 3).withDropout(new GptConfig.Rates(0.1, 0.2, 0));

    private final ReferenceBackend backend = new ReferenceBackend();
    private final List<Parameter> parameters = new Gpt(CONFIG).layers().parameters();
    private final LocalWeights weights = new LocalWeights(backend, DType.F32, parameters, 1);

    @TempDir
    private Path folder;

    @AfterEach
    void close() {
        weights.close();
        backend.close();
    }

    @Test
    void whatIsWrittenIsReadBack() {
        HuggingFace.write(folder, CONFIG, weights, DType.F32, true);
        assertEquals(CONFIG, HuggingFace.readConfig(folder));
        try (LocalWeights other = new LocalWeights(backend, DType.F32, parameters, 2)) {
            HuggingFace.read(folder, other);
            for (Parameter parameter : parameters) {
                assertArrayEquals(values(weights, parameter), values(other, parameter), parameter.name());
            }
        }
    }

    @Test
    void sixteenBitFilesLoadRounded() {
        for (DType dtype : List.of(DType.BF16, DType.F16)) {
            HuggingFace.write(folder, CONFIG, weights, dtype, true);
            double unit = dtype == DType.BF16 ? 0x1p-8 : 0x1p-11;
            try (LocalWeights other = new LocalWeights(backend, DType.F32, parameters, 2)) {
                HuggingFace.read(folder, other);
                for (Parameter parameter : parameters) {
                    float[] expected = values(weights, parameter);
                    float[] actual = values(other, parameter);
                    for (int i = 0; i < expected.length; i++) {
                        // Half a unit in the last place; F16 has subnormals below 2^-14.
                        double bound = Math.max(unit * Math.abs(expected[i]), 0x1p-25);
                        assertEquals(expected[i], actual[i], bound, parameter.name());
                    }
                }
            }
        }
    }

    @Test
    void namesWithoutPrefixMasksAndTiedHeadLoad() {
        writeFile(name -> name, List.of("h.0.attn.bias", "h.1.attn.masked_bias"), true);
        HuggingFace.read(folder, weights);
    }

    @Test
    void absentTensorIsNamed() {
        writeFile(name -> name.equals("h.1.mlp.c_fc.bias") ? "h.7.mlp.c_fc.bias" : name, List.of(), false);
        assertMessage("h.1.mlp.c_fc.bias", "absent");
    }

    @Test
    void strangeTensorIsNamed() {
        writeFile(name -> name, List.of("h.0.rotary"), false);
        assertMessage("h.0.rotary", "none of the model's");
    }

    @Test
    void otherDimsAreNamed() {
        HuggingFace.write(folder, CONFIG, weights, DType.F32, true);
        GptConfig wider = GptConfig.of(19, 8, 2, 24, 3);
        try (LocalWeights other =
                new LocalWeights(backend, DType.F32, new Gpt(wider).layers().parameters(), 1)) {
            Exception e = assertThrows(ModelFileException.class, () -> HuggingFace.read(folder, other));
            assertTrue(e.getMessage().contains("[19, 12]") && e.getMessage().contains("[19, 24]"), e.getMessage());
        }
    }

    @Test
    void configOfAnotherFunctionIsRejected() throws IOException {
        HuggingFace.write(folder, CONFIG, weights, DType.F32, true);
        Path file = folder.resolve("config.json");
        Files.writeString(file, Files.readString(file).replace("gelu_new", "relu"));
        Exception e = assertThrows(ModelFileException.class, () -> HuggingFace.readConfig(folder));
        assertTrue(
                e.getMessage().contains("activation_function") && e.getMessage().contains("relu"), e.getMessage());
    }

    @Test
    void brokenOrAbsentConfigIsNamed() throws IOException {
        assertThrows(ModelFileException.class, () -> HuggingFace.readConfig(folder));
        Files.writeString(folder.resolve("config.json"), "{\"n_embd\": ");
        Exception e = assertThrows(ModelFileException.class, () -> HuggingFace.readConfig(folder));
        assertTrue(e.getMessage().contains("config.json"), e.getMessage());
    }

    private void assertMessage(String... parts) {
        Exception e = assertThrows(ModelFileException.class, () -> HuggingFace.read(folder, weights));
        for (String part : parts) {
            assertTrue(e.getMessage().contains(part), e.getMessage());
        }
    }

    /** A file with the weights under other names, further tensors of one element, and perhaps a copy of the tied table. */
    private void writeFile(UnaryOperator<String> rename, List<String> further, boolean tiedHead) {
        List<SafetensorsWriter.Entry> entries = new ArrayList<>();
        parameters.forEach(p -> entries.add(new SafetensorsWriter.Entry(rename.apply(p.name()), DType.F32, p.shape())));
        further.forEach(name -> entries.add(new SafetensorsWriter.Entry(name, DType.F32, Shape.of(1))));
        if (tiedHead) {
            entries.add(new SafetensorsWriter.Entry(
                    "lm_head.weight", DType.F32, parameters.getFirst().shape()));
        }
        Path file = folder.resolve("model.safetensors");
        try (SafetensorsWriter writer = SafetensorsWriter.open(file, entries, Map.of());
                Arena arena = Arena.ofConfined()) {
            for (Parameter parameter : parameters) {
                writer.write(rename.apply(parameter.name()), MemorySegment.ofArray(values(weights, parameter)));
            }
            further.forEach(name -> writer.write(name, arena.allocate(Float.BYTES)));
            if (tiedHead) {
                writer.write("lm_head.weight", MemorySegment.ofArray(values(weights, parameters.getFirst())));
            }
            writer.commit();
        }
    }

    private static float[] values(LocalWeights store, Parameter parameter) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment values = arena.allocate(parameter.elements() * Float.BYTES, 4);
            store.read(parameter, values);
            return values.toArray(ValueLayout.JAVA_FLOAT);
        }
    }
}
