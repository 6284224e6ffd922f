package ds.api.comm;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** What the ranks of a job share and strangers do not know. Never printed. */
public final class Secret {
    private final byte[] bytes;

    private Secret(byte[] bytes) {
        if (bytes.length < 16) {
            throw new IllegalArgumentException(
                    "the secret has " + bytes.length + " bytes; at least 16 are needed, such as 32 random hex digits");
        }
        this.bytes = bytes;
    }

    /** {@return the secret whose UTF-8 bytes these are} */
    public static Secret of(String text) {
        return new Secret(text.strip().getBytes(StandardCharsets.UTF_8));
    }

    /** {@return a copy of the bytes, as the key of a message authentication code} */
    public byte[] bytes() {
        return bytes.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Secret that && java.security.MessageDigest.isEqual(bytes, that.bytes);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(bytes);
    }

    @Override
    public String toString() {
        return "Secret[…]";
    }
}
