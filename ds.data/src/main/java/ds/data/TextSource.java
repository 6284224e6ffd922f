package ds.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Text as documents, in the same order every time. What the path is decides:
 * <ul>
 *   <li>a folder: each file below it, sorted by name; names that begin with a dot are left out, links to folders not followed
 *   <li>{@code .zip}, {@code .jar}: each member, sorted by name, read straight from the archive
 *   <li>{@code .jsonl}, {@code .ndjson}, also as such a member: the string under {@link #textKey} of each object
 *   <li>any other file, or such a member: one document
 * </ul>
 *
 * @param path a file, folder or archive
 * @param include globs on a member's path inside the folder or archive, such as <code>**&#47;*.java</code>; empty for all
 * @param textKey key of a JSON object's text, usually {@code "text"}
 */
public record TextSource(Path path, List<String> include, String textKey) {
    /** The key under which most collections in JSON lines keep their text. */
    public static final String DEFAULT_TEXT_KEY = "text";

    /** Copies the globs. */
    public TextSource {
        include = List.copyOf(include);
    }

    /** {@return all text at this path, with the usual key for JSON lines} */
    public static TextSource of(Path path) {
        return new TextSource(path, List.of(), DEFAULT_TEXT_KEY);
    }

    /**
     * Passes every document on, empty ones too.
     *
     * @throws DataException if the path is missing or unreadable, no member matches the globs, globs are given for a file that
     *     has no members, or JSON is damaged or lacks the key; whatever the visitor throws goes through
     */
    public void read(DocumentVisitor visitor) {
        String name = path.toString();
        try {
            if (Files.isDirectory(path)) {
                folder(visitor);
            } else if (name.endsWith(".zip") || name.endsWith(".jar")) {
                archive(visitor);
            } else if (include.isEmpty()) {
                try (InputStream in = Files.newInputStream(path)) {
                    member(name, in, visitor);
                }
            } else {
                throw new DataException(path + ": include = " + include
                        + " needs a folder or archive, and this is a single file; remove the globs");
            }
        } catch (IOException e) {
            throw new DataException(path + ": cannot be read: " + e + "; check that it exists and is readable", e);
        }
    }

    private void folder(DocumentVisitor visitor) throws IOException {
        var globs = new Globs(path, include);
        var files = new TreeMap<String, Path>();
        long[] seen = {0};
        Files.walkFileTree(path, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
                return folder.equals(path) || !isHidden(folder)
                        ? FileVisitResult.CONTINUE
                        : FileVisitResult.SKIP_SUBTREE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                if (!isHidden(file) && Files.isRegularFile(file)) {
                    seen[0]++;
                    String member = path.relativize(file).toString().replace('\\', '/');
                    if (globs.include(member)) {
                        files.put(member, file);
                    }
                }
                return FileVisitResult.CONTINUE;
            }
        });
        checkFound(files.size(), seen[0]);
        for (Path file : files.values()) {
            try (InputStream in = Files.newInputStream(file)) {
                member(file.toString(), in, visitor);
            }
        }
    }

    private static boolean isHidden(Path path) {
        return path.getFileName().toString().startsWith(".");
    }

    private void archive(DocumentVisitor visitor) throws IOException {
        var globs = new Globs(path, include);
        try (var zip = new ZipFile(path.toFile())) {
            var members = new TreeMap<String, ZipEntry>();
            long[] seen = {0};
            zip.stream().filter(member -> !member.isDirectory()).forEach(member -> {
                seen[0]++;
                if (globs.include(member.getName())) {
                    members.put(member.getName(), member);
                }
            });
            checkFound(members.size(), seen[0]);
            for (ZipEntry member : members.values()) {
                try (InputStream in = zip.getInputStream(member)) {
                    member(path + "!/" + member.getName(), in, visitor);
                }
            }
        }
    }

    private void checkFound(int found, long seen) {
        if (found == 0) {
            throw new DataException(path + ": none of its " + seen + " files matches include = " + include
                    + "; correct the globs or the path");
        }
    }

    private void member(String name, InputStream in, DocumentVisitor visitor) throws IOException {
        if (JsonLines.isNameOf(name)) {
            JsonLines.read(name, in, textKey, visitor);
        } else {
            visitor.document(name, in);
        }
    }
}
