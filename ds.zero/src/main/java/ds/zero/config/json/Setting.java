package ds.zero.config.json;

/**
 * One key of a resolved configuration.
 *
 * @param path its JSON path, such as {@code optimizer.params.lr}
 * @param value its value as a plain Java value: a boolean, number, string, list or map
 * @param source where the value came from
 * @param note the rule of an inferred value, the reason of one without effect; otherwise empty
 */
public record Setting(String path, Object value, Source source, String note) {
    /** Where a value came from. */
    public enum Source {
        /** Written in the configuration. */
        GIVEN,
        /** Computed from other values, or in place of {@code "auto"}. */
        INFERRED,
        /** Not written; the documented default. */
        DEFAULT,
        /** Written, accepted, and without effect here. */
        WITHOUT_EFFECT
    }
}
