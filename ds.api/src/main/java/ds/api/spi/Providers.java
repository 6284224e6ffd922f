package ds.api.spi;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.TreeMap;

/**
 * All providers of one kind on the module path, and on the class path (an unnamed module registers them in
 * {@code META-INF/services}). Chosen by exact name; two of one name are an error; nothing is fallen back to.
 *
 * @param <P> the kind of provider
 */
public final class Providers<P extends Provider> {
    private final String key;
    private final Map<String, P> byName;

    private Providers(String key, Map<String, P> byName) {
        this.key = key;
        this.byName = byName;
    }

    /** {@return all tensor backends; selected by {@code ds.backend}} */
    public static Providers<TensorBackendProvider> backends() {
        return of("ds.backend", ServiceLoader.load(TensorBackendProvider.class));
    }

    /** {@return all tensor backends; one on the host is selected by {@code ds.host_backend}, for what is offloaded to it} */
    public static Providers<TensorBackendProvider> hostBackends() {
        return of("ds.host_backend", ServiceLoader.load(TensorBackendProvider.class));
    }

    /** {@return all communicators; selected by {@code ds.communicator}} */
    public static Providers<CommunicatorProvider> communicators() {
        return of("ds.communicator", ServiceLoader.load(CommunicatorProvider.class));
    }

    /** {@return all optimizers; selected by {@code optimizer.type}} */
    public static Providers<OptimizerProvider> optimizers() {
        return of("optimizer.type", ServiceLoader.load(OptimizerProvider.class));
    }

    /**
     * {@return the given providers}
     *
     * @param key the configuration key that selects one, for messages
     * @throws ProviderException if two have the same name, or one cannot be instantiated
     */
    static <P extends Provider> Providers<P> of(String key, Iterable<P> providers) {
        Map<String, P> byName = new TreeMap<>();
        try {
            for (P provider : providers) {
                P other = byName.putIfAbsent(provider.name(), provider);
                if (other != null) {
                    throw new ProviderException(key + " = " + provider.name() + ": two providers have this name, "
                            + origin(other) + " and " + origin(provider) + "; remove one from the module path");
                }
            }
        } catch (ServiceConfigurationError e) {
            throw new ProviderException(key + ": a registered provider cannot be used: " + e.getMessage(), e);
        }
        return new Providers<>(key, byName);
    }

    /** {@return all of them, in the order of their names} */
    public List<P> all() {
        return new ArrayList<>(byName.values());
    }

    /** {@return whether there is one of this name, available or not} */
    public boolean contains(String name) {
        return byName.containsKey(name);
    }

    /**
     * {@return the provider of this name, which is available}
     *
     * @throws ProviderException if there is none, with the names found, or if it is not available, with its reason
     */
    public P get(String name) {
        P provider = byName.get(name);
        if (provider == null) {
            throw new ProviderException(key + " = " + name + ": no such provider; found " + byName.keySet()
                    + "; use one of these, or add the module that provides it to the module path");
        }
        return switch (provider.availability()) {
            case Availability.Available available -> provider;
            case Availability.Unavailable(String reason) ->
                throw new ProviderException(key + " = " + name + ": not available on this machine: " + reason);
        };
    }

    /** {@return where a provider comes from: its module, or its jar on the class path} */
    public static String origin(Provider provider) {
        Module module = provider.getClass().getModule();
        return module.isNamed()
                ? "module " + module.getName()
                : "class path, " + provider.getClass().getName();
    }
}
