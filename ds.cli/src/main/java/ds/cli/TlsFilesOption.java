package ds.cli;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Files by which ranks know each other on a hostile network. A password is in a file or in DS_TLS_PASSWORD, never an argument. */
final class TlsFilesOption {
    @Option(
            names = "--tls-certificate",
            paramLabel = "PEM",
            description = "This host's certificate and those between it and an authority; TLS is used then. "
                    + "Default: DS_TLS_CERTIFICATE of the environment, and so for the options that follow.")
    private Optional<Path> certificate = Optional.empty();

    @Option(names = "--tls-key", paramLabel = "PEM", description = "Its private key, PKCS #8, encrypted or not.")
    private Optional<Path> key = Optional.empty();

    @Option(
            names = "--tls-ca",
            paramLabel = "PEM",
            description = "Authorities that certify the hosts of the job, and nobody else.")
    private Optional<Path> authorities = Optional.empty();

    @Option(
            names = "--tls-keystore",
            paramLabel = "P12",
            description = "PKCS #12 with key and certificates, in place of the three.")
    private Optional<Path> keystore = Optional.empty();

    @Option(
            names = "--tls-password-file",
            paramLabel = "FILE",
            description = "File with the password of the key or the key store. Default: DS_TLS_PASSWORD.")
    private Optional<Path> passwordFile = Optional.empty();

    /** {@return the variables that hand these files on to ranks} */
    Map<String, String> variables() {
        var variables = new HashMap<String, String>();
        certificate.ifPresent(file -> variables.put("DS_TLS_CERTIFICATE", absolute(file)));
        key.ifPresent(file -> variables.put("DS_TLS_KEY", absolute(file)));
        authorities.ifPresent(file -> variables.put("DS_TLS_CA", absolute(file)));
        keystore.ifPresent(file -> variables.put("DS_TLS_KEYSTORE", absolute(file)));
        passwordFile.ifPresent(file -> variables.put("DS_TLS_PASSWORD_FILE", absolute(file)));
        return variables;
    }

    private static String absolute(Path file) {
        return file.toAbsolutePath().toString();
    }
}
