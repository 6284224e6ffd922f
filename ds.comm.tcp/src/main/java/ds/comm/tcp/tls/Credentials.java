package ds.comm.tcp.tls;

import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.X509Certificate;
import java.util.List;

/**
 * Who this rank is, and whom it trusts.
 *
 * @param key of the first certificate
 * @param chain this rank's certificate, and those between it and an authority
 * @param authorities whose certificates are trusted
 */
record Credentials(PrivateKey key, List<X509Certificate> chain, List<X509Certificate> authorities) {
    private static final int MAX_NAME = 120;

    Credentials {
        chain = List.copyOf(chain);
        authorities = List.copyOf(authorities);
    }

    /** {@return whether the key is that of the certificate} */
    boolean keyFits() throws GeneralSecurityException {
        String algorithm = switch (key.getAlgorithm()) {
            case "RSA" -> "SHA256withRSA";
            case "EC" -> "SHA256withECDSA";
            default -> key.getAlgorithm();
        };
        byte[] text = {1, 2, 3};
        Signature signer = Signature.getInstance(algorithm);
        signer.initSign(key);
        signer.update(text);
        byte[] signature = signer.sign();
        Signature verifier = Signature.getInstance(algorithm);
        verifier.initVerify(chain.getFirst().getPublicKey());
        verifier.update(text);
        try {
            return verifier.verify(signature);
        } catch (GeneralSecurityException e) {
            return false; // a signature that cannot even be read
        }
    }

    static KeyStore emptyStore() throws GeneralSecurityException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try {
            store.load(null, null);
        } catch (IOException e) {
            throw new IllegalStateException("an empty key store reads nothing", e);
        }
        return store;
    }

    static String name(X509Certificate certificate) {
        return printable(certificate.getSubjectX500Principal().getName());
    }

    static String issuer(X509Certificate certificate) {
        return printable(certificate.getIssuerX500Principal().getName());
    }

    /** {@return a stranger's text as it may stand in a message: short, and without anything that moves a cursor} */
    static String printable(String text) {
        String start = text.length() <= MAX_NAME ? text : text.substring(0, MAX_NAME) + "…";
        return start.replaceAll("\\p{C}", "?");
    }

    /** Leaves the key out. */
    @Override
    public String toString() {
        return "Credentials[" + name(chain.getFirst()) + "]";
    }
}
