package ds.models.gpt;

import ds.api.DType;
import ds.api.layer.Parameter;
import ds.api.layer.ParameterStore;
import ds.safetensors.SafetensorsException;
import ds.safetensors.SafetensorsFolder;
import ds.safetensors.SafetensorsWriter;
import ds.safetensors.TensorInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Model folders as Hugging Face {@code transformers} reads and writes them: {@code config.json} and
 * {@code model.safetensors}, or shards with an index. Weights of linear layers are {@code [in, out]} there (Conv1D), as here.
 */
public final class HuggingFace {
    private static final String PREFIX = "transformer.";
    private static final String TIED_HEAD = "lm_head.weight";

    /** Causal masks, which old files store as if they were weights. */
    private static final Pattern MASK = Pattern.compile("h\\.\\d+\\.attn\\.(bias|masked_bias)");

    private HuggingFace() {}

    /**
     * {@return the shape of the model in a folder}
     *
     * @throws ModelFileException if {@code config.json} is absent, broken, or describes something else than GPT-2
     */
    public static GptConfig readConfig(Path folder) {
        return HuggingFaceConfig.read(folder.resolve("config.json"));
    }

    /**
     * {@return the shape of the model that a file describes, which need not be called {@code config.json}}
     *
     * @throws ModelFileException as {@link #readConfig}
     */
    public static GptConfig readConfigFile(Path file) {
        return HuggingFaceConfig.read(file);
    }

    /** {@return what {@link #write} writes into {@code config.json}, for F32} */
    public static String configText(GptConfig config) {
        return HuggingFaceConfig.text(config, "float32");
    }

    /**
     * Loads the weights of a folder: F32, F16 or BF16, named with or without {@code transformer.}.
     *
     * @param store gets every parameter
     * @throws ModelFileException if a tensor is absent, has other dims, or is none of the model's
     */
    public static void read(Path folder, ParameterStore store) {
        try (SafetensorsFolder files = SafetensorsFolder.open(folder)) {
            Map<String, String> stored = storedNames(files);
            String head = stored.remove(TIED_HEAD);
            for (Parameter parameter : store.parameters()) {
                String name = stored.remove(parameter.name());
                if (name == null) {
                    throw new ModelFileException(folder + ": tensor " + parameter.name() + " is absent; found "
                            + files.tensors().size() + " tensors, but not this one: is it a GPT-2 of the same shape?");
                }
                readOne(files.info(name), files.data(name), parameter, store);
                if (head != null && parameter.name().equals("wte.weight")) {
                    checkTied(files, name, head);
                }
            }
            if (!stored.isEmpty()) {
                throw new ModelFileException(
                        folder + ": tensor " + stored.keySet().iterator().next()
                                + " is none of the model's; does config.json belong to these files?");
            }
        } catch (SafetensorsException e) {
            throw new ModelFileException(e.getMessage(), e);
        }
    }

    /** {@return by the model's name of a tensor, its name in the files; masks left out} */
    private static Map<String, String> storedNames(SafetensorsFolder files) {
        Map<String, String> names = new HashMap<>();
        for (String name : files.tensors().keySet()) {
            String plain = name.startsWith(PREFIX) ? name.substring(PREFIX.length()) : name;
            if (!MASK.matcher(plain).matches()) {
                names.put(plain, name);
            }
        }
        return names;
    }

    private static void readOne(TensorInfo info, MemorySegment data, Parameter parameter, ParameterStore store) {
        if (!info.shape().equals(parameter.whole())) {
            throw new ModelFileException(info.file() + ": tensor " + info.name() + " has dims " + info.shape()
                    + ", the model needs " + parameter.whole() + "; does config.json belong to these files?");
        }
        if (info.dtype() != DType.F32 && info.dtype() != DType.F16 && info.dtype() != DType.BF16) {
            throw new ModelFileException(info.file() + ": tensor " + info.name() + " is " + info.dtype()
                    + "; F32, F16 or BF16 can be loaded");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment values = arena.allocate(parameter.whole().elements() * Float.BYTES, 64);
            FloatConversion.toF32(data, info.dtype(), values);
            store.write(parameter, values);
        }
    }

    private static void checkTied(SafetensorsFolder files, String table, String head) {
        if (files.data(table).mismatch(files.data(head)) != -1) {
            throw new ModelFileException(files.info(head).file() + ": " + head + " differs from " + table
                    + "; only models whose output projection is tied to the token embedding are supported");
        }
    }

    /**
     * Saves a model as {@code config.json} and {@code model.safetensors}. Where parameters are spread over ranks, all ranks call
     * it, and one writes.
     *
     * @param folder made if absent
     * @param dtype F32, BF16 or F16
     * @param writes whether this rank writes the files
     * @throws ModelFileException if the folder cannot be written
     */
    public static void write(Path folder, GptConfig config, ParameterStore store, DType dtype, boolean writes) {
        if (!writes) {
            withEach(store, (parameter, values) -> {});
            return;
        }
        List<SafetensorsWriter.Entry> entries = new ArrayList<>();
        for (Parameter parameter : store.parameters()) {
            entries.add(new SafetensorsWriter.Entry(PREFIX + parameter.name(), dtype, parameter.whole()));
        }
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw new ModelFileException(folder + ": cannot be made: " + e, e);
        }
        Path file = folder.resolve(SafetensorsFolder.SINGLE);
        try (SafetensorsWriter writer = SafetensorsWriter.open(file, entries, Map.of("format", "pt"));
                Arena arena = Arena.ofConfined()) {
            withEach(store, (parameter, values) -> {
                MemorySegment stored = dtype == DType.F32
                        ? values
                        : arena.allocate(parameter.whole().elements() * dtype.byteSize(), 64);
                FloatConversion.fromF32(values, dtype, stored);
                writer.write(PREFIX + parameter.name(), stored);
            });
            writer.commit();
        } catch (SafetensorsException e) {
            throw new ModelFileException(e.getMessage(), e);
        }
        String name = switch (dtype) {
            case BF16 -> "bfloat16";
            case F16 -> "float16";
            case F32, F64, I32 -> "float32";
        };
        HuggingFaceConfig.write(folder.resolve("config.json"), config, name);
    }

    private interface ParameterValues {
        void accept(Parameter parameter, MemorySegment values);
    }

    private static void withEach(ParameterStore store, ParameterValues use) {
        for (Parameter parameter : store.parameters()) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment values = arena.allocate(parameter.whole().elements() * Float.BYTES, 64);
                store.read(parameter, values);
                use.accept(parameter, values);
            }
        }
    }
}
