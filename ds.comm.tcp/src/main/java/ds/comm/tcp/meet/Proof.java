package ds.comm.tcp.meet;

import ds.api.comm.Secret;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Optional;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Message authentication codes by which two ranks show each other that they know the secret: HMAC-SHA-256 (RFC 2104) over the
 * prover's role, the encrypted connection if it is one, and all that the two have said, nonces included. A job without a secret uses a key that everybody knows, and
 * therefore only loopback.
 */
final class Proof {
    static final int BYTES = 32;

    private final SecretKeySpec key;
    private final boolean secret;

    Proof(Optional<Secret> secret) {
        this.secret = secret.isPresent();
        key = new SecretKeySpec(secret.map(Secret::bytes).orElseGet(() -> new byte[BYTES]), "HmacSHA256");
    }

    /** {@return whether there is a secret} */
    boolean secret() {
        return secret;
    }

    /** {@return the code of what has been said so far, for one role, so that neither can send back what it got} */
    byte[] of(String role, byte[] binding, ByteBuffer... said) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(key);
            mac.update(role.getBytes(StandardCharsets.US_ASCII));
            mac.update(binding);
            for (ByteBuffer part : said) {
                mac.update(part.duplicate().rewind());
            }
            return mac.doFinal();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("HmacSHA256 is missing from this Java runtime", e);
        }
    }

    /** {@return whether two codes are the same, in a time that does not depend on where they differ} */
    static boolean same(byte[] expected, byte[] actual) {
        return MessageDigest.isEqual(expected, actual);
    }
}
