package ds.comm.tcp.tls;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.InvalidKeyException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.EncryptedPrivateKeyInfo;
import javax.crypto.SecretKey;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;

/** What a PEM file (RFC 7468) has: certificates, and private keys in PKCS #8, encrypted or not. */
final class Pem {
    private static final Pattern PART = Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \\1-----");

    private final String text;

    Pem(String text) {
        this.text = text;
    }

    /** {@return all certificates, in their order} */
    List<X509Certificate> certificates() throws GeneralSecurityException {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        List<X509Certificate> certificates = new ArrayList<>();
        for (byte[] part : parts("CERTIFICATE")) {
            certificates.add((X509Certificate) factory.generateCertificate(new ByteArrayInputStream(part)));
        }
        return certificates;
    }

    /**
     * {@return the first private key}
     *
     * @param algorithm of the certificate's public key
     * @throws GeneralSecurityException with a message that says what is there instead, or that the password is wrong
     */
    PrivateKey key(String algorithm, Optional<char[]> password) throws GeneralSecurityException {
        List<byte[]> plain = parts("PRIVATE KEY");
        if (!plain.isEmpty()) {
            return key(algorithm, new PKCS8EncodedKeySpec(plain.getFirst()));
        }
        List<byte[]> encrypted = parts("ENCRYPTED PRIVATE KEY");
        if (!encrypted.isEmpty()) {
            return key(
                    algorithm,
                    decrypt(
                            encrypted.getFirst(),
                            password.orElseThrow(() -> new InvalidKeySpecException("it is encrypted, and there is no"
                                    + " password: set DS_TLS_PASSWORD or tls_password_file"))));
        }
        throw new InvalidKeySpecException("it has no PRIVATE KEY, but " + labels()
                + "; `openssl pkcs8 -topk8 -nodes` converts keys of other forms");
    }

    private static PrivateKey key(String algorithm, PKCS8EncodedKeySpec spec) throws GeneralSecurityException {
        try {
            return KeyFactory.getInstance(algorithm).generatePrivate(spec);
        } catch (InvalidKeySpecException e) {
            throw new InvalidKeySpecException("it has no " + algorithm + " key, which the certificate is for", e);
        }
    }

    private static PKCS8EncodedKeySpec decrypt(byte[] part, char[] password) throws GeneralSecurityException {
        PBEKeySpec secret = new PBEKeySpec(password);
        try {
            EncryptedPrivateKeyInfo info = new EncryptedPrivateKeyInfo(part);
            // PBES2 says only in its parameters what it encrypts with.
            String algorithm = info.getAlgParameters() == null
                    ? info.getAlgName()
                    : info.getAlgParameters().toString();
            SecretKey key = SecretKeyFactory.getInstance(algorithm).generateSecret(secret);
            return info.getKeySpec(key);
        } catch (InvalidKeyException e) {
            throw new InvalidKeySpecException("the password does not open it", e);
        } catch (IOException e) {
            throw new InvalidKeySpecException("it is no PKCS #8 key", e);
        } finally {
            secret.clearPassword();
        }
    }

    private List<byte[]> parts(String label) throws InvalidKeySpecException {
        List<byte[]> parts = new ArrayList<>();
        Matcher matcher = PART.matcher(text);
        while (matcher.find()) {
            if (matcher.group(1).equals(label)) {
                try {
                    parts.add(Base64.getMimeDecoder()
                            .decode(matcher.group(2).strip().getBytes(StandardCharsets.US_ASCII)));
                } catch (IllegalArgumentException e) {
                    throw new InvalidKeySpecException("its " + label + " is no Base64", e);
                }
            }
        }
        return parts;
    }

    private List<String> labels() {
        return PART.matcher(text).results().map(match -> match.group(1)).toList();
    }
}
