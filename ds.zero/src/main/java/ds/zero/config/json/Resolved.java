package ds.zero.config.json;

import ds.zero.config.json.Setting.Source;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A configuration without problems, and where each of its values came from.
 *
 * @param <T> the type of the configuration
 * @param value what the reader built
 * @param settings every key that was read or accepted, in the order of reading
 */
public record Resolved<T>(T value, List<Setting> settings) {
    /** Copies the list. */
    public Resolved {
        settings = List.copyOf(settings);
    }

    /**
     * {@return the resolved configuration as JSON text} It has three members: {@code config}, all values that are in force,
     * which read again gives the same configuration; {@code from}, by path {@code given}, {@code default} or
     * {@code inferred: <rule>}; {@code without_effect}, the accepted keys that change nothing here, each with its reason.
     */
    public String toJson() {
        var config = new LinkedHashMap<String, Object>();
        var from = new LinkedHashMap<String, Object>();
        var withoutEffect = new LinkedHashMap<String, Object>();
        for (Setting setting : settings) {
            if (setting.source() == Source.WITHOUT_EFFECT) {
                withoutEffect.put(setting.path(), setting.note());
            } else {
                put(config, setting.path(), setting.value());
                String source = setting.source().name().toLowerCase(Locale.ROOT);
                from.put(setting.path(), setting.note().isEmpty() ? source : source + ": " + setting.note());
            }
        }
        var all = new LinkedHashMap<String, Object>();
        all.put("config", config);
        all.put("from", from);
        all.put("without_effect", withoutEffect);
        return JsonText.pretty(all);
    }

    private static void put(Map<String, Object> block, String path, Object value) {
        int dot = path.indexOf('.');
        if (dot < 0) {
            block.put(path, value);
            return;
        }
        Object child = block.computeIfAbsent(path.substring(0, dot), name -> new LinkedHashMap<String, Object>());
        @SuppressWarnings("unchecked") // every inner node was made by the line above: no setting lies inside another
        var inner = (Map<String, Object>) child;
        put(inner, path.substring(dot + 1), value);
    }
}
