package ds.data;

import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.List;
import java.util.regex.PatternSyntaxException;

/**
 * Which members of a folder or archive are read: those that any of the globs matches, or all if there are none. Globs are
 * {@link java.nio.file.FileSystem#getPathMatcher Java's}, except that <code>**&#47;</code> also stands for no folder at all, as
 * in shells and in Git.
 */
final class Globs {
    private final List<PathMatcher> matchers;

    Globs(Path source, List<String> globs) {
        this.matchers = globs.stream().map(glob -> matcher(source, glob)).toList();
    }

    private static PathMatcher matcher(Path source, String glob) {
        try {
            return FileSystems.getDefault().getPathMatcher("glob:" + orNoFolder(glob));
        } catch (PatternSyntaxException e) {
            throw new DataException(
                    source + ": include glob \"" + glob + "\" is not valid: " + e.getDescription() + "; correct it", e);
        }
    }

    /** Groups cannot be nested, so a folder pattern inside one keeps Java's meaning. */
    private static String orNoFolder(String glob) {
        var result = new StringBuilder();
        int depth = 0;
        for (int i = 0; i < glob.length(); i++) {
            char c = glob.charAt(i);
            depth += c == '{' ? 1 : c == '}' ? -1 : 0;
            if (depth == 0 && glob.startsWith("**/", i) && (i == 0 || glob.charAt(i - 1) == '/')) {
                result.append("{**/,}");
                i += 2;
            } else {
                result.append(c);
            }
        }
        return result.toString();
    }

    /** {@return whether this member is read} The name is relative, with {@code /} between folders. */
    boolean include(String member) {
        Path path = Path.of(member);
        return matchers.isEmpty() || matchers.stream().anyMatch(matcher -> matcher.matches(path));
    }
}
