package ds.backend.cuda.product;

import ds.backend.cuda.driver.CublasLt.Algorithm;
import ds.backend.cuda.launch.KernelCache;
import ds.cuda.CudaDriver;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The algorithms that were chosen, of one kind of device and one version of cuBLASLt: a text with a line {@code PROBLEM -> INDEX HEX} for
 * each problem. HEX is the algorithm; INDEX, which of the candidates it was, is for readers. May be deleted, as a whole or by line: then it
 * is measured again. Nothing that is wrong with the file fails a run. Of one thread at a time.
 */
public final class AlgorithmFile {
    private static final System.Logger LOG = System.getLogger(AlgorithmFile.class.getName());
    private static final String HEADER = "# Measured by ds: with which algorithm cuBLASLt computes which product.";
    private static final Pattern LINE = Pattern.compile("(?<problem>.+) -> (?<algorithm>[0-9]{1,2} [0-9a-f]{128})");
    private static final long LOCK_NANOS = TimeUnit.SECONDS.toNanos(20); // less than a collective waits for a rank
    private static final long POLL_MILLIS = 2;

    private final Path file;
    private boolean warned;

    /** Reads and writes nothing yet. */
    public AlgorithmFile(Path folder, CudaDriver.Properties device, long version) {
        String name = "products-" + device.name() + "-" + device.architecture() + "-cublaslt" + version;
        this.file = folder.resolve(name.replaceAll("[^A-Za-z0-9.-]+", "_") + ".txt");
    }

    Path file() {
        return file;
    }

    /** {@return what is kept for a problem, if it is one of the candidates} */
    Optional<Algorithm> find(String problem, List<Algorithm> candidates) {
        try {
            String kept = read().getOrDefault(problem, "");
            Algorithm algorithm = new Algorithm(kept.substring(kept.indexOf(' ') + 1));
            return Optional.of(algorithm).filter(candidates::contains);
        } catch (IOException e) {
            warn("cannot be read", e.toString());
            return Optional.empty();
        }
    }

    /**
     * {@return what is kept for a problem; otherwise the candidate whose index is measured, which is then kept}
     *
     * @param measure called by one process at a time, so that those that wait for it find what the first has chosen
     */
    Algorithm findOrKeep(String problem, List<Algorithm> candidates, IntSupplier measure) {
        try (Hold hold = new Hold()) {
            Optional<Algorithm> kept = find(problem, candidates);
            if (kept.isPresent()) {
                return kept.get();
            }
            int index = measure.getAsInt();
            if (hold.held()) {
                keep(problem, index, candidates.get(index));
            }
            return candidates.get(index);
        }
    }

    private Map<String, String> read() throws IOException {
        Map<String, String> kept = new TreeMap<>();
        String text = "";
        if (Files.exists(file)) {
            text = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1); // whatever its bytes are
        }
        List<String> lines = text.lines().toList();
        for (int i = 0; i < lines.size(); i++) {
            Matcher matcher = LINE.matcher(lines.get(i));
            if (matcher.matches()) {
                kept.put(matcher.group("problem"), matcher.group("algorithm"));
            } else if (!lines.get(i).equals(HEADER)) {
                warn("is damaged, and what is missing measured again", "line " + (i + 1));
            }
        }
        return kept;
    }

    private void keep(String problem, int index, Algorithm algorithm) {
        try {
            Map<String, String> kept = read(); // again: others may have written
            kept.put(problem, index + " " + algorithm.hex());
            StringBuilder text = new StringBuilder(HEADER).append('\n');
            kept.forEach((key, value) ->
                    text.append(key).append(" -> ").append(value).append('\n'));
            KernelCache.replace(file, text.toString().getBytes(StandardCharsets.ISO_8859_1));
        } catch (IOException e) {
            warn("cannot be written, and later runs measure again", e.toString());
        }
    }

    /** Once: what is wrong with it is wrong for every product. */
    private void warn(String what, String detail) {
        LOG.log(warned ? System.Logger.Level.DEBUG : System.Logger.Level.WARNING, "{0} {1}: {2}", file, what, detail);
        warned = true;
    }

    /** This process's turn with the file; not held where there can be no such turns. */
    private final class Hold implements AutoCloseable {
        private FileChannel channel; // closing it ends the turn

        Hold() {
            try {
                Files.createDirectories(file.getParent());
                channel = FileChannel.open(
                        file.resolveSibling(file.getFileName() + ".lock"),
                        StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE);
                lock();
            } catch (IOException e) {
                warn("cannot be locked, and what is measured is not kept", e.toString());
                close();
            }
        }

        private void lock() throws IOException {
            long deadline = System.nanoTime() + LOCK_NANOS;
            while (!tryLock()) {
                if (System.nanoTime() - deadline > 0) {
                    throw new IOException("another process has held it for " + LOCK_NANOS / 1_000_000_000 + " s");
                }
                try {
                    Thread.sleep(POLL_MILLIS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new IOException("interrupted", e);
                }
            }
        }

        private boolean tryLock() throws IOException {
            try {
                return channel.tryLock() != null;
            } catch (OverlappingFileLockException e) { // another rank in this process
                return false;
            }
        }

        boolean held() {
            return channel != null;
        }

        @Override
        public void close() {
            if (channel == null) {
                return;
            }
            try {
                channel.close();
            } catch (IOException e) {
                warn("cannot be unlocked", e.toString());
            }
            channel = null;
        }
    }
}
