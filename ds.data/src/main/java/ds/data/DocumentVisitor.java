package ds.data;

import java.io.IOException;
import java.io.InputStream;

/** Receives the documents of a {@link TextSource} one by one. */
@FunctionalInterface
public interface DocumentVisitor {
    /**
     * One document.
     *
     * @param name where it comes from: a path, {@code archive!/member} or {@code file:line}
     * @param text UTF-8, not yet checked; borrowed for this call, and need not be read to its end
     * @throws IOException if reading {@code text} failed
     */
    void document(String name, InputStream text) throws IOException;
}
