package ds.zero.config.json;

import ds.zero.config.json.ConfigException.Problem;
import ds.zero.config.json.Setting.Source;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What is known while one configuration is read; shared by its blocks. Confined to the reading thread. */
final class Session {
    private final Set<Problem> problems = new LinkedHashSet<>(); // a key that is read twice is reported once
    private final Map<String, Setting> settings = new LinkedHashMap<>();
    private final Map<String, String> rules = new HashMap<>();
    private final Map<String, Block> blocks = new LinkedHashMap<>();
    private final Set<String> known = new LinkedHashSet<>();
    private final Set<String> hints = new LinkedHashSet<>();

    void add(List<Problem> more) {
        problems.addAll(more);
    }

    List<Problem> problems() {
        return List.copyOf(problems);
    }

    List<Setting> settings() {
        return List.copyOf(settings.values());
    }

    /** Records a value in force that was given, or that {@link #inferred} announced. */
    void present(String path, Object value) {
        String rule = rules.get(path);
        settings.put(
                path,
                new Setting(path, value, rule == null ? Source.GIVEN : Source.INFERRED, rule == null ? "" : rule));
    }

    void absent(String path, Object fallback) {
        settings.put(path, new Setting(path, fallback, Source.DEFAULT, ""));
    }

    void withoutEffect(String path, Object value, String reason) {
        settings.put(path, new Setting(path, value, Source.WITHOUT_EFFECT, reason));
    }

    void inferred(String path, String rule) {
        rules.put(path, rule);
    }

    Map<String, Block> blocks() {
        return blocks;
    }

    /** Marks a path as one that the reader has looked at: it is no unknown key. */
    void know(String path) {
        known.add(path);
    }

    boolean knows(String path) {
        return known.contains(path);
    }

    /** Adds a path that "did you mean" may propose. */
    void hint(String path) {
        hints.add(path);
    }

    Problem unknownKey(String path, Object value) {
        var candidates = new LinkedHashSet<>(known);
        candidates.addAll(hints);
        if (candidates.contains(path)) {
            return new Problem(
                    path, JsonText.brief(value), "does not apply to what this block selects", "remove the key");
        }
        List<String> meant = new Spelling(path).suggestions(candidates);
        return new Problem(
                path,
                JsonText.brief(value),
                "unknown key",
                meant.isEmpty() ? "remove it" : "did you mean " + String.join(" or ", meant) + "?");
    }
}
