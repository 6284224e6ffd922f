package ds.comm.tcp.tls;

import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/** The Java runtime's verification of certificates (PKIX, RFC 5280) against the job's authorities; says what is wrong with one. */
final class TrustInAuthorities extends X509ExtendedTrustManager {
    private final X509ExtendedTrustManager pkix;

    TrustInAuthorities(List<X509Certificate> authorities) throws GeneralSecurityException {
        KeyStore store = Credentials.emptyStore();
        for (X509Certificate authority : authorities) {
            store.setCertificateEntry("authority " + store.size(), authority);
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        pkix = find(factory.getTrustManagers());
    }

    private static X509ExtendedTrustManager find(TrustManager[] managers) {
        for (TrustManager manager : managers) {
            if (manager instanceof X509ExtendedTrustManager found) {
                return found;
            }
        }
        throw new IllegalStateException("PKIX is missing from this Java runtime");
    }

    @FunctionalInterface
    private interface Check {
        void run() throws CertificateException;
    }

    private static void check(X509Certificate[] chain, Check check) throws CertificateException {
        for (X509Certificate certificate : chain) {
            checkDates(certificate);
        }
        try {
            check.run();
        } catch (CertificateException e) {
            throw new CertificateException(
                    "has shown a certificate that is not valid here: " + Credentials.name(chain[0]) + ", issued by "
                            + Credentials.issuer(chain[0]) + ", for none of the authorities in tls_ca ("
                            + Credentials.printable(String.valueOf(e.getMessage())) + ")",
                    e);
        }
    }

    private static void checkDates(X509Certificate certificate) throws CertificateException {
        try {
            certificate.checkValidity();
        } catch (CertificateExpiredException e) {
            throw new CertificateException(
                    "has shown a certificate that expired on "
                            + certificate.getNotAfter().toInstant() + ": " + Credentials.name(certificate),
                    e);
        } catch (CertificateNotYetValidException e) {
            throw new CertificateException(
                    "has shown a certificate that is valid only from "
                            + certificate.getNotBefore().toInstant() + ", by this host's clock: "
                            + Credentials.name(certificate),
                    e);
        }
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        check(chain, () -> pkix.checkClientTrusted(chain, authType, engine));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        check(chain, () -> pkix.checkServerTrusted(chain, authType, engine));
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
            throws CertificateException {
        check(chain, () -> pkix.checkClientTrusted(chain, authType, socket));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
            throws CertificateException {
        check(chain, () -> pkix.checkServerTrusted(chain, authType, socket));
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        check(chain, () -> pkix.checkClientTrusted(chain, authType));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        check(chain, () -> pkix.checkServerTrusted(chain, authType));
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return pkix.getAcceptedIssuers();
    }
}
