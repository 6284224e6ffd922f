package ds.cli.job;

import java.util.Map;
import java.util.Optional;

/**
 * By what the ranks of a job know each other; handed over in the environment, never on a command line.
 *
 * @param secret that proves a rank to the others; absent only where certificates do
 * @param tls variables that name files with certificates and keys, such as {@code DS_TLS_CERTIFICATE}
 */
public record Trust(Optional<String> secret, Map<String, String> tls) {
    /** Copies the map. */
    public Trust {
        tls = Map.copyOf(tls);
    }

    /** Leaves the secret out. */
    @Override
    public String toString() {
        return "Trust[" + (secret.isPresent() ? "a secret" : "no secret") + ", " + tls.keySet() + "]";
    }
}
