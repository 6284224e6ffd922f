package ds.zero.host;

import ds.api.Buffer;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;

/**
 * The way between the tensors of one memory and buffers in another, which a communicator accepts.
 *
 * @param device with memory of its own, and the copies
 * @param toHost whether the buffers are the host's, for tensors of the device; otherwise the other way round
 */
record Crossing(TensorBackend device, boolean toHost) {
    private static final String LABEL = "communicationStaging";

    /** {@return memory that the communicator accepts, handed over} */
    Buffer allocate(long bytes) {
        return toHost ? device.allocateHost(bytes, LABEL) : device.allocate(bytes, LABEL);
    }

    /** Copies an operand into a buffer. */
    void fetch(Tensor operand, Tensor staging, Stream stream) {
        if (toHost) {
            device.download(operand, staging, stream);
        } else {
            device.upload(operand, staging, stream);
        }
    }

    /** Copies from a buffer into an operand. */
    void put(Tensor staging, Tensor operand, Stream stream) {
        if (toHost) {
            device.upload(staging, operand, stream);
        } else {
            device.download(staging, operand, stream);
        }
    }
}
