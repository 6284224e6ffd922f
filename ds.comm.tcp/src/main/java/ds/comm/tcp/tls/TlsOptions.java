package ds.comm.tcp.tls;

import ds.api.spi.ProviderException;
import ds.api.spi.ProviderOptions;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The files that make TLS possible, by options of the provider, or by variables of the environment where the option is absent:
 *
 * <ul>
 *   <li>{@code tls_certificate}, {@code DS_TLS_CERTIFICATE}: PEM, this rank's certificate and those between it and an authority
 *   <li>{@code tls_key}, {@code DS_TLS_KEY}: PEM, its private key (PKCS #8), encrypted or not
 *   <li>{@code tls_keystore}, {@code DS_TLS_KEYSTORE}: PKCS #12 with key and certificates, instead of these two
 *   <li>{@code tls_ca}, {@code DS_TLS_CA}: PEM, the authorities whose certificates are trusted; a key store may hold them too
 *   <li>{@code tls_password_file}, {@code DS_TLS_PASSWORD_FILE}, or the password itself in {@code DS_TLS_PASSWORD}: of the key
 *       or the key store. No option holds a password.
 * </ul>
 */
public final class TlsOptions {
    private final ProviderOptions options;
    private final Map<String, String> environment;

    private TlsOptions(ProviderOptions options, Map<String, String> environment) {
        this.options = options;
        this.environment = environment;
    }

    /**
     * {@return TLS, if a certificate or a key store is given}
     *
     * @throws ProviderException naming option, file and remedy, if something is missing or cannot be read
     */
    public static Optional<Tls> read(ProviderOptions options, Map<String, String> environment) {
        return new TlsOptions(options, environment).read();
    }

    private Optional<Tls> read() {
        String certificate = value("tls_certificate");
        String key = value("tls_key");
        String keystore = value("tls_keystore");
        String authorities = value("tls_ca");
        String passwordFile = value("tls_password_file");
        if ((certificate + key + keystore).isEmpty()) {
            if (!authorities.isEmpty()) {
                throw new ProviderException("tls_ca = " + authorities
                        + ": TLS needs this rank's certificate too: set tls_certificate and tls_key, or tls_keystore");
            }
            return Optional.empty();
        }
        if (keystore.isEmpty() ? certificate.isEmpty() || key.isEmpty() : !(certificate + key).isEmpty()) {
            throw new ProviderException("tls_certificate = '" + certificate + "', tls_key = '" + key
                    + "', tls_keystore = '" + keystore + "': set the first two, or only the third");
        }
        Optional<char[]> password = password(passwordFile);
        Credentials credentials = keystore.isEmpty()
                ? fromPem(certificate, key, authorities, password)
                : fromStore(keystore, authorities, password);
        return Optional.of(tls(credentials, keystore.isEmpty() ? certificate : keystore));
    }

    private String value(String name) {
        String fromEnvironment = environment.getOrDefault("DS_" + name.toUpperCase(java.util.Locale.ROOT), "");
        return options.text(name, fromEnvironment);
    }

    private Optional<char[]> password(String file) {
        if (!file.isEmpty()) {
            return Optional.of(readText("tls_password_file", file).strip().toCharArray());
        }
        return Optional.ofNullable(environment.get("DS_TLS_PASSWORD")).map(String::toCharArray);
    }

    private static Tls tls(Credentials credentials, String file) {
        X509Certificate own = credentials.chain().getFirst();
        try {
            own.checkValidity();
        } catch (CertificateException e) {
            throw new ProviderException(
                    file + ": this rank's certificate, " + Credentials.name(own) + ", is valid from "
                            + own.getNotBefore().toInstant() + " to "
                            + own.getNotAfter().toInstant() + ", and not now: give it a new one",
                    e);
        }
        try {
            if (!credentials.keyFits()) {
                throw new ProviderException(file + ": the private key is not that of " + Credentials.name(own));
            }
            return new Tls(credentials);
        } catch (GeneralSecurityException e) {
            throw new ProviderException(file + ": this Java runtime cannot use that key: " + e.getMessage(), e);
        }
    }

    private static Credentials fromPem(
            String certificateFile, String keyFile, String authorityFile, Optional<char[]> password) {
        if (authorityFile.isEmpty()) {
            throw new ProviderException("tls_ca is not set: TLS needs the certificates of the authorities that ranks"
                    + " trust, in a PEM file");
        }
        List<X509Certificate> chain = certificates("tls_certificate", certificateFile);
        List<X509Certificate> authorities = certificates("tls_ca", authorityFile);
        Pem pem = new Pem(readText("tls_key", keyFile));
        try {
            PrivateKey key = pem.key(chain.getFirst().getPublicKey().getAlgorithm(), password);
            return new Credentials(key, chain, authorities);
        } catch (GeneralSecurityException e) {
            throw new ProviderException("tls_key = " + keyFile + ": " + e.getMessage(), e);
        }
    }

    private static List<X509Certificate> certificates(String option, String file) {
        try {
            List<X509Certificate> found = new Pem(readText(option, file)).certificates();
            if (found.isEmpty()) {
                throw new ProviderException(option + " = " + file + ": no CERTIFICATE is in it; a PEM file is needed");
            }
            return found;
        } catch (GeneralSecurityException e) {
            throw new ProviderException(
                    option + " = " + file + ": a certificate in it cannot be read: " + e.getMessage(), e);
        }
    }

    private static Credentials fromStore(String file, String authorityFile, Optional<char[]> password) {
        char[] secret = password.orElseThrow(() -> new ProviderException(
                "tls_keystore = " + file + ": needs a password: set DS_TLS_PASSWORD or tls_password_file"));
        try {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(new ByteArrayInputStream(readBytes("tls_keystore", file)), secret);
            String alias = keyAlias(store, file);
            List<X509Certificate> chain = new ArrayList<>();
            for (Certificate certificate : store.getCertificateChain(alias)) {
                chain.add((X509Certificate) certificate);
            }
            List<X509Certificate> authorities =
                    authorityFile.isEmpty() ? trusted(store) : certificates("tls_ca", authorityFile);
            if (authorities.isEmpty()) {
                throw new ProviderException("tls_keystore = " + file + ": has no trusted certificate entry; set tls_ca"
                        + " to a PEM file of the authorities that ranks trust");
            }
            return new Credentials((PrivateKey) store.getKey(alias, secret), chain, authorities);
        } catch (IOException | GeneralSecurityException e) {
            throw new ProviderException(
                    "tls_keystore = " + file + ": cannot be opened: is it PKCS #12, and the password right? ("
                            + e.getMessage() + ")",
                    e);
        }
    }

    private static String keyAlias(KeyStore store, String file) throws GeneralSecurityException {
        List<String> keys = new ArrayList<>();
        for (String alias : Collections.list(store.aliases())) {
            if (store.isKeyEntry(alias)) {
                keys.add(alias);
            }
        }
        if (keys.size() != 1) {
            throw new ProviderException(
                    "tls_keystore = " + file + ": has " + keys.size() + " keys " + keys + "; exactly one is needed");
        }
        return keys.getFirst();
    }

    private static List<X509Certificate> trusted(KeyStore store) throws GeneralSecurityException {
        List<X509Certificate> trusted = new ArrayList<>();
        for (String alias : Collections.list(store.aliases())) {
            if (store.isCertificateEntry(alias)) {
                trusted.add((X509Certificate) store.getCertificate(alias));
            }
        }
        return trusted;
    }

    private static String readText(String option, String file) {
        return new String(readBytes(option, file), StandardCharsets.UTF_8);
    }

    private static byte[] readBytes(String option, String file) {
        try {
            return Files.readAllBytes(Path.of(file));
        } catch (NoSuchFileException e) {
            throw new ProviderException(option + " = " + file + ": no such file", e);
        } catch (IOException e) {
            throw new ProviderException(option + " = " + file + ": cannot be read: " + e, e);
        }
    }
}
