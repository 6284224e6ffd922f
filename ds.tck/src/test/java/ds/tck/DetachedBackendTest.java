package ds.tck;

import static org.junit.jupiter.api.Assertions.assertThrows;

import ds.api.Buffer;
import ds.api.TensorBackend;
import org.junit.jupiter.api.Test;

/** The suite against a device that computes beside the host, in memory that the host does not reach. */
class DetachedBackendTest extends TensorBackendContract {
    @Override
    protected TensorBackend open() {
        return new DetachedBackend();
    }

    @Test
    void hostDoesNotReachItsMemory() {
        try (Buffer buffer = backend().allocate(64, "contract")) {
            assertThrows(IllegalStateException.class, buffer::host);
            assertThrows(IllegalStateException.class, buffer::address);
        }
    }
}
