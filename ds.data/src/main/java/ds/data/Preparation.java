package ds.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Turns text into two token files, {@value #TRAIN} and {@value #VALIDATION}, once. The same text gives the same bytes.
 *
 * <p>The split is by document, spread evenly over the order of the sources: with fraction f, document i is held out for
 * validation if the whole part of (i + 1)·f exceeds that of i·f. If there are fewer than 1/f documents, as in a single large
 * file, each is cut at a line end instead, and its last part f is held out. Empty documents are left out.
 *
 * @param sources read in this order, and twice: first to count
 * @param tokenizer for both files
 * @param folder for the result; created if it is missing
 * @param validationFraction f, between 0 and 1, both excluded
 */
public record Preparation(List<TextSource> sources, Tokenizer tokenizer, Path folder, double validationFraction) {
    /** The name of the file to train on. */
    public static final String TRAIN = "train.tokens";

    /** The name of the held-out file. */
    public static final String VALIDATION = "validation.tokens";

    private static final int CHUNK_BYTES = 1 << 20;

    /** Rejects a fraction that leaves a file empty. */
    public Preparation {
        sources = List.copyOf(sources);
        if (!(validationFraction > 0 && validationFraction < 1)) {
            throw new DataException("validation fraction = " + validationFraction
                    + ": must lie between 0 and 1, both excluded; 0.05 is usual");
        }
    }

    /**
     * How far it has come.
     *
     * @param documents encoded so far
     * @param documentsTotal of all sources
     * @param bytes of text encoded so far
     * @param bytesTotal of all sources
     */
    public record Progress(long documents, long documentsTotal, long bytes, long bytesTotal) {}

    /** What a first pass over the sources finds. */
    private record Survey(long documents, long bytes, List<Long> firstSizes) {}

    /**
     * Writes both files; they appear together at the end, and those of an earlier run stay until then.
     *
     * @param listener called after every chunk of at most 1 MiB, and after every document
     * @throws DataException if a source cannot be read, is not UTF-8, has no text, changes meanwhile, or is too short to hold
     *     out that fraction, or the disk refuses
     */
    public void run(Consumer<Progress> listener) {
        Survey survey = survey();
        if (survey.bytes == 0) {
            throw new DataException(paths() + ": no text: " + survey.documents + " documents, all empty; add text");
        }
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw new DataException(folder + ": cannot be created: " + e + "; choose another folder", e);
        }
        try (var train = TokenFileWriter.open(folder.resolve(TRAIN), tokenizer);
                var validation = TokenFileWriter.open(folder.resolve(VALIDATION), tokenizer)) {
            new Pass(survey, train, validation, listener).run();
            if (train.tokens() == 0 || validation.tokens() == 0) {
                throw new DataException(paths() + ": " + survey.bytes + " bytes in " + survey.documents
                        + " documents are too few to hold out a fraction of " + validationFraction + "; add text");
            }
            commit(train, validation);
        }
    }

    /** A kill between the two renames must not leave new training text beside an old held-out file, which it may contain. */
    private void commit(TokenFileWriter train, TokenFileWriter validation) {
        try {
            Files.deleteIfExists(folder.resolve(VALIDATION));
        } catch (IOException e) {
            throw new DataException(folder.resolve(VALIDATION) + ": cannot be replaced: " + e + "; delete it", e);
        }
        train.commit();
        validation.commit();
    }

    private List<Path> paths() {
        return sources.stream().map(TextSource::path).toList();
    }

    /** Documents that are cut need their sizes, and there are fewer than 1/f of them. */
    private Survey survey() {
        var sizes = new ArrayList<Long>();
        long[] totals = new long[2];
        byte[] scratch = new byte[CHUNK_BYTES];
        for (TextSource source : sources) {
            source.read((name, text) -> {
                long size = size(text, scratch);
                totals[0] += size > 0 ? 1 : 0;
                totals[1] += size;
                if (size > 0 && sizes.size() * validationFraction < 1) {
                    sizes.add(size);
                }
            });
        }
        return new Survey(totals[0], totals[1], sizes);
    }

    private static long size(InputStream text, byte[] scratch) throws IOException {
        long size = 0;
        for (int read = text.read(scratch); read >= 0; read = text.read(scratch)) {
            size += read;
        }
        return size;
    }

    /** The second pass, which encodes. */
    private final class Pass {
        private final Survey survey;
        private final TokenFileWriter train;
        private final TokenFileWriter validation;
        private final Consumer<Progress> listener;
        private final boolean byDocument;
        private final byte[] buffer = new byte[CHUNK_BYTES];
        private long documents;
        private long bytes;

        Pass(Survey survey, TokenFileWriter train, TokenFileWriter validation, Consumer<Progress> listener) {
            this.survey = survey;
            this.train = train;
            this.validation = validation;
            this.listener = listener;
            this.byDocument = survey.documents * validationFraction >= 1;
        }

        void run() {
            sources.forEach(source -> source.read(this::document));
            if (documents != survey.documents || bytes != survey.bytes) {
                throw new DataException(paths() + ": changed while they were read: " + survey.documents
                        + " documents of " + survey.bytes + " bytes, then " + documents + " of " + bytes
                        + "; run again when nothing writes there");
            }
        }

        private void document(String name, InputStream text) throws IOException {
            var chunks = new Utf8Chunks(name, text, buffer);
            long before = bytes;
            if (byDocument) {
                encode(chunks, Long.MAX_VALUE, heldOut(documents) ? validation : train);
            } else {
                long size = documents < survey.documents ? survey.firstSizes.get((int) documents) : 0;
                encode(chunks, Math.max(1, Math.round(size * (1 - validationFraction))), train);
                encode(chunks, Long.MAX_VALUE, validation);
            }
            documents += bytes > before ? 1 : 0;
            report();
        }

        private boolean heldOut(long document) {
            return Math.floor((document + 1) * validationFraction) > Math.floor(document * validationFraction);
        }

        /** Encodes up to {@code limit} bytes, ending where a chunk can end, as one document. */
        private void encode(Utf8Chunks chunks, long limit, TokenFileWriter writer) throws IOException {
            long before = bytes;
            for (long left = limit; left > 0; ) {
                byte[] chunk = chunks.next(Math.clamp(left, Utf8Chunks.MIN_BYTES, CHUNK_BYTES));
                if (chunk.length == 0) {
                    break;
                }
                writer.append(tokenizer.encode(chunk), chunk.length);
                bytes += chunk.length;
                left = left <= CHUNK_BYTES ? 0 : left - chunk.length;
                report();
            }
            if (bytes > before) {
                writer.endDocument();
            }
        }

        private void report() {
            listener.accept(new Progress(documents, survey.documents, bytes, survey.bytes));
        }
    }
}
