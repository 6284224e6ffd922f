package ds.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.EncryptedPrivateKeyInfo;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;

/** An authority for ranks of tests, made when it is needed, by the JDK's own keytool; and the files of those whom it certifies. */
public final class TestAuthority {
    static final String PASSWORD = "a password of tests";
    private static final String CA = "authority";
    private static final String CIPHER = "PBEWithHmacSHA256AndAES_256";

    private final Path folder;
    private final Path store;

    /** Makes its certificate. */
    public TestAuthority(Path folder) throws Exception {
        this.folder = Files.createDirectories(folder);
        store = folder.resolve("all.p12");
        keytool("-genkeypair", "-alias", CA, "-keyalg", "EC", "-dname", "CN=" + folder.getFileName(), "-ext", "bc:c");
        pem("ca.pem", "CERTIFICATE", certificate(CA).getEncoded());
    }

    /** Certifies somebody for two days from a day like {@code -1d}. */
    public TestAuthority certify(String name, String keyAlgorithm, String from) throws Exception {
        keytool(
                "-genkeypair",
                "-alias",
                name,
                "-keyalg",
                keyAlgorithm,
                "-dname",
                "CN=" + name,
                "-signer",
                CA,
                "-startdate",
                from,
                "-validity",
                "2");
        pem(name + ".pem", "CERTIFICATE", certificate(name).getEncoded());
        PrivateKey key = (PrivateKey) key(name);
        pem(name + ".key", "PRIVATE KEY", key.getEncoded());
        var parameters = new PBEKeySpec(PASSWORD.toCharArray());
        Cipher cipher = Cipher.getInstance(CIPHER);
        cipher.init(Cipher.ENCRYPT_MODE, SecretKeyFactory.getInstance(CIPHER).generateSecret(parameters));
        AlgorithmParameters pbes2 = AlgorithmParameters.getInstance("PBES2");
        pbes2.init(cipher.getParameters().getEncoded());
        var encrypted = new EncryptedPrivateKeyInfo(pbes2, cipher.doFinal(key.getEncoded()));
        pem(name + ".encrypted.key", "ENCRYPTED PRIVATE KEY", encrypted.getEncoded());
        store(name).store(output(name + ".p12"), PASSWORD.toCharArray());
        Files.writeString(folder.resolve("password"), PASSWORD + "\n");
        return this;
    }

    private KeyStore store(String name) throws Exception {
        KeyStore own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        own.setKeyEntry(name, key(name), PASSWORD.toCharArray(), new Certificate[] {certificate(name)});
        own.setCertificateEntry(CA, certificate(CA));
        return own;
    }

    /** {@return key and certificate of somebody, as the JDK's sockets take them} */
    KeyStore keys(String name) throws Exception {
        return store(name);
    }

    private OutputStream output(String file) throws IOException {
        return Files.newOutputStream(folder.resolve(file));
    }

    private Certificate certificate(String alias) throws Exception {
        return load().getCertificate(alias);
    }

    private Key key(String alias) throws Exception {
        return load().getKey(alias, PASSWORD.toCharArray());
    }

    private KeyStore load() throws GeneralSecurityException, IOException {
        return KeyStore.getInstance(store.toFile(), PASSWORD.toCharArray());
    }

    private void pem(String file, String label, byte[] content) throws IOException {
        String base64 = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content);
        Files.writeString(
                folder.resolve(file), "-----BEGIN " + label + "-----\n" + base64 + "\n-----END " + label + "-----\n");
    }

    private void keytool(String... arguments) throws Exception {
        List<String> line = new ArrayList<>();
        line.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
        line.addAll(List.of(arguments));
        line.addAll(List.of("-keystore", store.toString(), "-storepass", PASSWORD));
        Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), said);
    }

    /** {@return the path of a file of it} */
    public String file(String name) {
        return folder.resolve(name).toString();
    }

    /** {@return options of a rank with this certificate that trusts the authority in {@code ca}} */
    Map<String, String> pem(String name, TestAuthority ca) {
        return Map.of(
                "tls_certificate", file(name + ".pem"), "tls_key", file(name + ".key"), "tls_ca", ca.file("ca.pem"));
    }

    /** {@return options of a rank with this certificate} */
    Map<String, String> pem(String name) {
        return pem(name, this);
    }

    /** {@return options of a rank with this certificate, from a key store} */
    Map<String, String> keystore(String name) {
        return Map.of("tls_keystore", file(name + ".p12"), "tls_password_file", file("password"));
    }
}
