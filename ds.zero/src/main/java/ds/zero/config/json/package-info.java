/**
 * Strict JSON blocks: {@link ds.zero.config.json.ConfigReader} parses a file and hands its root
 * {@link ds.zero.config.json.Block} to a reader; the reader asks for typed values; whatever is wrong, unknown or missing
 * is collected and thrown at once as a {@link ds.zero.config.json.ConfigException}; what is right comes back as
 * {@link ds.zero.config.json.Resolved}, which knows where every value came from.
 */
package ds.zero.config.json;
