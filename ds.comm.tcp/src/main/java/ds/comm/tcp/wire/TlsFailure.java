package ds.comm.tcp.wire;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.cert.CertificateException;
import javax.net.ssl.SSLException;

/** Two processes that could not agree on an encrypted connection; its message goes on after the name of the other one. */
public final class TlsFailure extends IOException {
    private static final long serialVersionUID = 1;

    private final transient ByteBuffer plain;

    private TlsFailure(String message, ByteBuffer plain, Throwable cause) {
        super(message, cause);
        this.plain = plain;
    }

    /** The other one said something that is no TLS. */
    static TlsFailure notTls(ByteBuffer first) {
        return new TlsFailure("does not speak TLS", first, null);
    }

    static TlsFailure of(SSLException e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof CertificateException) {
                return new TlsFailure(cause.getMessage(), ByteBuffer.allocate(0), e);
            }
        }
        String message = String.valueOf(e.getMessage());
        String text = message.contains("Empty client certificate chain")
                ? "has shown no certificate"
                : message.contains("fatal alert")
                        ? "does not accept this rank's certificate (" + message + ")"
                        : "failed in TLS (" + message + ")";
        return new TlsFailure(text, ByteBuffer.allocate(0), e);
    }

    /** {@return what the other one said instead of TLS; nothing if it did speak TLS} */
    public ByteBuffer plain() {
        return plain.duplicate();
    }
}
