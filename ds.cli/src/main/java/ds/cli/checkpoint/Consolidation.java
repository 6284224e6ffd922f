package ds.cli.checkpoint;

import ds.api.DType;
import ds.api.Shape;
import ds.safetensors.SafetensorsWriter;
import ds.safetensors.SafetensorsWriter.Entry;
import ds.zero.checkpoint.Checkpoint;
import ds.zero.checkpoint.Piece;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.LongConsumer;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A checkpoint as whole tensors, by Hugging Face's convention: weights in {@code model.safetensors} and optimizer states in
 * {@code optimizer.safetensors}, or each in numbered files with an index. Streams: memory is that of a few chunks.
 */
public final class Consolidation {
    private final Checkpoint checkpoint;
    private final Path folder;
    private final long maxFileBytes;
    private final LongConsumer progress;
    private long bytesDone;

    /**
     * Describes it; nothing is written.
     *
     * @param folder gets the files; made if absent
     * @param maxFileBytes of tensors in a file; a tensor that is larger has one of its own
     * @param progress told bytes written so far
     */
    public Consolidation(Checkpoint checkpoint, Path folder, long maxFileBytes, LongConsumer progress) {
        this.checkpoint = checkpoint;
        this.folder = folder;
        this.maxFileBytes = maxFileBytes;
        this.progress = progress;
    }

    /** Writes everything, and the small files beside. */
    public void run() {
        try {
            Files.createDirectories(folder);
            write("model", List.of(Piece.MASTER));
            write(
                    "optimizer",
                    checkpoint.kinds().stream()
                            .filter(kind -> !kind.equals(Piece.MASTER))
                            .toList());
            for (String text : checkpoint.texts()) {
                Files.writeString(folder.resolve(text), checkpoint.text(text));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(folder + ": cannot be written", e);
        }
    }

    private void write(String name, List<String> kinds) throws IOException {
        if (kinds.isEmpty()) {
            return;
        }
        List<List<Entry>> files = deal(kinds);
        try (OpenFile open = new OpenFile(name, files)) {
            checkpoint.forEach(kinds, open::append);
            open.finish();
        }
        if (files.size() > 1) {
            Files.writeString(folder.resolve(name + ".safetensors.index.json"), index(name, files));
        }
    }

    /** {@return the tensors of each file, in the order in which they come} */
    private List<List<Entry>> deal(List<String> kinds) {
        List<List<Entry>> files = new ArrayList<>();
        List<Entry> file = new ArrayList<>();
        long bytes = 0;
        for (String kind : kinds) {
            for (Map.Entry<String, Shape> parameter : checkpoint.parameters().entrySet()) {
                long size = parameter.getValue().elements() * Float.BYTES;
                if (!file.isEmpty() && bytes + size > maxFileBytes) {
                    files.add(file);
                    file = new ArrayList<>();
                    bytes = 0;
                }
                file.add(new Entry(tensor(kind, parameter.getKey()), DType.F32, parameter.getValue()));
                bytes += size;
            }
        }
        files.add(file);
        return files;
    }

    private static String tensor(String kind, String parameter) {
        return kind.equals(Piece.MASTER) ? parameter : kind + "/" + parameter;
    }

    private static String fileName(String name, int number, int count) {
        return count == 1
                ? name + ".safetensors"
                : String.format(Locale.ROOT, "%s-%05d-of-%05d.safetensors", name, number + 1, count);
    }

    private static String index(String name, List<List<Entry>> files) {
        ObjectNode root = JsonMapper.shared().createObjectNode();
        ObjectNode metadata = root.putObject("metadata");
        ObjectNode map = root.putObject("weight_map");
        long bytes = 0;
        for (int i = 0; i < files.size(); i++) {
            for (Entry entry : files.get(i)) {
                map.put(entry.name(), fileName(name, i, files.size()));
                bytes += entry.shape().elements() * Float.BYTES;
            }
        }
        metadata.put("total_size", bytes);
        return JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n";
    }

    /** The file under way: tensors come in the order in which they were dealt. */
    private final class OpenFile implements AutoCloseable {
        private final String name;
        private final List<List<Entry>> files;
        private int number;
        private long bytesLeft;
        private SafetensorsWriter writer;

        OpenFile(String name, List<List<Entry>> files) {
            this.name = name;
            this.files = files;
            this.writer = open();
        }

        private SafetensorsWriter open() {
            List<Entry> entries = files.get(number);
            bytesLeft = entries.stream()
                    .mapToLong(entry -> entry.shape().elements() * Float.BYTES)
                    .sum();
            return SafetensorsWriter.open(
                    folder.resolve(fileName(name, number, files.size())), entries, Map.of("format", "pt"));
        }

        void append(String kind, String parameter, MemorySegment bytes) {
            if (bytesLeft == 0) {
                finish();
                number++;
                writer = open();
            }
            writer.write(tensor(kind, parameter), bytes);
            bytesLeft -= bytes.byteSize();
            bytesDone += bytes.byteSize();
            progress.accept(bytesDone);
        }

        void finish() {
            writer.commit();
            writer.close();
        }

        @Override
        public void close() {
            writer.close();
        }
    }
}
