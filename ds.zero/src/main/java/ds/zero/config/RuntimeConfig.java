package ds.zero.config;

import ds.api.spi.ProviderOptions;
import ds.zero.config.json.Block;
import ds.zero.config.json.ConfigException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * This project's own block {@code "ds"}.
 *
 * @param backend name of the tensor backend's provider
 * @param hostBackend name of the provider of a backend on the host, for what is offloaded there from a device
 * @param communicator name of the communicator's provider
 * @param seed of initial weights, dropout and sampling
 * @param collectiveTimeout after which a collective that not every rank has joined fails
 * @param memoryLimitBytes what one rank may take in all: tensors, heap and native libraries; empty for no limit
 * @param backendOptions what the backend's provider understands, such as {@code memory_limit_bytes}; plain Java values
 * @param communicatorOptions what the communicator's provider understands, such as its TLS files; plain Java values
 */
public record RuntimeConfig(
        String backend,
        String hostBackend,
        String communicator,
        long seed,
        Duration collectiveTimeout,
        OptionalLong memoryLimitBytes,
        Map<String, Object> backendOptions,
        Map<String, Object> communicatorOptions) {
    /** The block's key. */
    public static final String BLOCK = "ds";

    private static final String LIMIT = "memory_limit";
    private static final String BACKEND_OPTIONS = "backend_options";
    private static final String COMMUNICATOR_OPTIONS = "communicator_options";
    private static final String BACKEND_LIMIT = "memory_limit_bytes";

    /** Rejects names and deadlines that are empty. */
    public RuntimeConfig {
        if (backend.isBlank()) {
            throw new ConfigException(BLOCK + ".backend", backend, "must name a provider", "\"cpu\" is the default");
        }
        if (hostBackend.isBlank()) {
            throw new ConfigException(
                    BLOCK + ".host_backend", hostBackend, "must name a provider", "\"cpu\" is the default");
        }
        if (communicator.isBlank()) {
            throw new ConfigException(
                    BLOCK + ".communicator", communicator, "must name a provider", "\"tcp\" is the default");
        }
        if (!collectiveTimeout.isPositive()) {
            throw new ConfigException(
                    BLOCK + ".collective_timeout_seconds",
                    collectiveTimeout.toSeconds(),
                    "must be positive",
                    "60 is the default");
        }
        backendOptions = Map.copyOf(backendOptions);
        communicatorOptions = Map.copyOf(communicatorOptions);
        if (communicatorOptions.containsKey("timeout_seconds")) {
            throw new ConfigException(
                    BLOCK + "." + COMMUNICATOR_OPTIONS + ".timeout_seconds",
                    communicatorOptions.get("timeout_seconds"),
                    "is set elsewhere",
                    "use " + BLOCK + ".collective_timeout_seconds, which is the same");
        }
    }

    /** {@return the options of the backend's provider} */
    public ProviderOptions backendProviderOptions() {
        return new ProviderOptions(BLOCK + "." + BACKEND_OPTIONS, backendOptions);
    }

    /** {@return what the buffers of the backend may take together, by its own option; empty without it: all that its device has} */
    public OptionalLong backendLimitBytes() {
        long bytes = backendProviderOptions().integer(BACKEND_LIMIT, 0);
        return bytes > 0 ? OptionalLong.of(bytes) : OptionalLong.empty();
    }

    /** {@return the options of the communicator's provider, deadline included} */
    public ProviderOptions communicatorProviderOptions() {
        Map<String, Object> options = new HashMap<>(communicatorOptions);
        options.put("timeout_seconds", collectiveTimeout.toSeconds());
        return new ProviderOptions(BLOCK + "." + COMMUNICATOR_OPTIONS, options);
    }

    static RuntimeConfig read(Block root) {
        Block block = root.block(BLOCK);
        return new RuntimeConfig(
                block.text("backend", "cpu"),
                block.text("host_backend", "cpu"),
                block.text("communicator", "tcp"),
                block.integer("seed", 1234, Long.MIN_VALUE, Long.MAX_VALUE),
                Duration.ofSeconds(block.integer("collective_timeout_seconds", 60, 1, Integer.MAX_VALUE)),
                readLimit(block),
                block.block(BACKEND_OPTIONS).remaining(),
                block.block(COMMUNICATOR_OPTIONS).remaining());
    }

    private static OptionalLong readLimit(Block block) {
        String text = block.optionalText(LIMIT).orElse("");
        if (text.isEmpty()) {
            return OptionalLong.empty();
        }
        try {
            return OptionalLong.of(ByteSize.parse(text));
        } catch (IllegalArgumentException e) {
            block.problem(LIMIT, "is no amount of memory", "write " + ByteSize.FORM + ", such as \"6GiB\"");
            return OptionalLong.empty();
        }
    }
}
