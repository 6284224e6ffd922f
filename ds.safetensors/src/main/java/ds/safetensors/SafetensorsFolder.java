package ds.safetensors;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A model's folder as Hugging Face lays it out, as one view: {@value #SINGLE}, or {@value #INDEX} and the files (shards) that it
 * names. If both are there, the single file counts. Tensors of a shard that the index does not name are left out. Any thread
 * may use it.
 */
public final class SafetensorsFolder implements AutoCloseable {
    /** The name of a model in one file. */
    public static final String SINGLE = "model.safetensors";

    /** The name of the JSON file that says in which file each tensor lies. */
    public static final String INDEX = "model.safetensors.index.json";

    private final Path folder;
    private final Map<String, SafetensorsFile> files = new LinkedHashMap<>();
    private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();

    private SafetensorsFolder(Path folder) {
        this.folder = folder;
    }

    /**
     * {@return the opened model; the caller closes it}
     *
     * @throws SafetensorsException if the folder holds neither file, a shard is missing, a shard lacks a tensor that the
     *     index places there, or a file is damaged (see {@link SafetensorsFile#open})
     */
    public static SafetensorsFolder open(Path folder) {
        var result = new SafetensorsFolder(folder);
        try {
            result.load();
            return result;
        } catch (RuntimeException e) {
            result.close();
            throw e;
        }
    }

    private void load() {
        if (Files.exists(folder.resolve(SINGLE))) {
            tensors.putAll(shard(SINGLE).tensors());
        } else if (Files.exists(folder.resolve(INDEX))) {
            loadShards(folder.resolve(INDEX));
        } else {
            throw new SafetensorsException(
                    folder,
                    "holds neither " + SINGLE + " nor " + INDEX + "; name the folder of a model in this format");
        }
    }

    private void loadShards(Path index) {
        Map<String, String> weightMap;
        try {
            weightMap = HeaderParser.weightMap(index, Files.readAllBytes(index));
        } catch (IOException e) {
            throw new SafetensorsException(index, "cannot be read: " + e + "; check its permissions", e);
        }
        weightMap.forEach((tensor, file) -> {
            if (!file.matches("[^/\\\\\\x00]+") || file.matches("\\.+")) {
                throw SafetensorsException.ofTensor(
                        index, tensor, "its file \"" + file + "\" is not a plain file name; correct the index");
            }
            if (!files.containsKey(file) && !Files.exists(folder.resolve(file))) {
                throw SafetensorsException.ofTensor(
                        index, tensor, "its shard " + file + " is missing; download it into " + folder);
            }
            TensorInfo info = shard(file).tensors().get(tensor);
            if (info == null) {
                throw SafetensorsException.ofTensor(
                        index, tensor, "not in " + file + ", where the index places it; download both again");
            }
            tensors.put(tensor, info);
        });
    }

    private SafetensorsFile shard(String name) {
        return files.computeIfAbsent(name, file -> SafetensorsFile.open(folder.resolve(file)));
    }

    /** {@return the files that are open, in the order in which the index first names them} */
    public List<SafetensorsFile> files() {
        return List.copyOf(files.values());
    }

    /** {@return all tensors by name; in the order of their bytes in one file, of the index otherwise; unmodifiable} */
    public Map<String, TensorInfo> tensors() {
        return Collections.unmodifiableMap(tensors);
    }

    /**
     * {@return what the header says of this tensor}
     *
     * @throws SafetensorsException if there is none of that name
     */
    public TensorInfo info(String name) {
        TensorInfo info = tensors.get(name);
        if (info == null) {
            throw SafetensorsException.ofTensor(
                    folder,
                    name,
                    "not in this model, which holds " + tensors.size() + " tensors: "
                            + tensors.keySet().stream().limit(4).toList() + " …; check the name");
        }
        return info;
    }

    /**
     * {@return the tensor's bytes, as {@link SafetensorsFile#data}; borrowed: dead after {@link #close}}
     *
     * @throws SafetensorsException if there is none of that name
     */
    public MemorySegment data(String name) {
        return files.get(info(name).file().getFileName().toString()).data(name);
    }

    /** Unmaps all files. Idempotent. */
    @Override
    public void close() {
        new ArrayList<>(files.values()).forEach(SafetensorsFile::close);
    }
}
