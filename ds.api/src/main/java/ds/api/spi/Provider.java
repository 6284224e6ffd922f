package ds.api.spi;

/**
 * What all providers have in common. Stateless; the public no-argument constructor loads nothing, so that listing providers
 * costs nothing.
 */
public interface Provider {
    /** {@return the exact name by which a configuration selects it, such as {@code "tcp"}} */
    String name();

    /** {@return whether this machine can run it; looks for libraries and devices, and never throws} */
    Availability availability();
}
