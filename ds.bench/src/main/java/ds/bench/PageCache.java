package ds.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the operating system keeps of files in memory. */
final class PageCache {
    private static final Path DROP = Path.of("/proc/sys/vm/drop_caches");

    private PageCache() {}

    /** {@return whether it could be emptied of what is on disk already: root of a Linux may} */
    static boolean drop() {
        try {
            Files.writeString(DROP, "1");
            return true;
        } catch (IOException e) {
            return false;
        }
    }
}
