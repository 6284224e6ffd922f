package ds.cli.train;

import ds.data.TokenFile;
import ds.data.Tokenizer;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;

/** How small gzip -9 makes a text: a compressor that everybody knows, to compare a model's bits per byte with. */
final class GzipSize {
    private GzipSize() {}

    /** {@return bits of the compressed text per byte of the text} */
    static double bitsPerByte(TokenFile file) {
        Counter counter = new Counter();
        try (OutputStream zip = new BufferedOutputStream(new Strongest(counter), 1 << 16)) {
            file.writeText(Tokenizer.named(file.tokenizer()), zip);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return 8.0 * counter.bytes / file.textBytes();
    }

    /** The level of a {@link GZIPOutputStream} can be set by a subclass only. */
    private static final class Strongest extends GZIPOutputStream {
        Strongest(OutputStream out) throws IOException {
            super(out);
            def.setLevel(Deflater.BEST_COMPRESSION);
        }
    }

    private static final class Counter extends OutputStream {
        private long bytes;

        @Override
        public void write(int b) {
            bytes++;
        }

        @Override
        public void write(byte[] b, int offset, int length) {
            bytes += length;
        }
    }
}
