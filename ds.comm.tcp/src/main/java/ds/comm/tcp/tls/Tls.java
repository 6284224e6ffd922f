package ds.comm.tcp.tls;

import java.security.GeneralSecurityException;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManager;

/**
 * TLS 1.3 with this rank's certificate, which trusts whoever has one by the job's authorities: whose certificate it is, and for
 * what host, does not matter. So these authorities have to certify nobody but ranks.
 */
public final class Tls {
    private static final String[] PROTOCOLS = {"TLSv1.3"};

    private static final List<String> SUITES =
            List.of("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256");

    private final SSLContext context;
    private final String[] suites;

    Tls(Credentials credentials) throws GeneralSecurityException {
        context = SSLContext.getInstance("TLSv1.3");
        context.init(
                new KeyManager[] {new OnlyKey(credentials)},
                new TrustManager[] {new TrustInAuthorities(credentials.authorities())},
                null);
        List<String> known = List.of(context.getSupportedSSLParameters().getCipherSuites());
        suites = SUITES.stream().filter(known::contains).toArray(String[]::new);
    }

    /** {@return an engine for one connection} It resumes no earlier session. */
    public SSLEngine engine(boolean connects) {
        SSLEngine engine = context.createSSLEngine();
        engine.setUseClientMode(connects);
        SSLParameters parameters = engine.getSSLParameters();
        parameters.setProtocols(PROTOCOLS);
        parameters.setCipherSuites(suites);
        if (!connects) {
            parameters.setNeedClientAuth(true);
        }
        engine.setSSLParameters(parameters);
        return engine;
    }
}
