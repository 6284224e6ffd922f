package ds.tck;

import ds.api.Buffer;
import ds.api.Device;
import ds.api.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** Memory of {@link DetachedBackend}: only what is enqueued on its streams reaches it. Freed once nothing enqueued uses it. */
final class DetachedBuffer implements Buffer {
    private final Buffer inner;
    private final long byteSize;
    private final Consumer<DetachedBuffer> closed;
    private int uses = 1; // the owner's, and one for each thing enqueued
    private boolean open = true;

    DetachedBuffer(Buffer inner, Consumer<DetachedBuffer> closed) {
        this.inner = inner;
        this.byteSize = inner.byteSize();
        this.closed = closed;
    }

    /**
     * {@return the same view of the memory itself, for something to be enqueued; to be released}
     *
     * @throws IllegalStateException if the buffer is closed
     * @throws IllegalArgumentException if the tensor is not one of this device
     */
    static Tensor retain(Tensor tensor) {
        if (!(tensor.buffer() instanceof DetachedBuffer buffer)) {
            throw new IllegalArgumentException(
                    tensor + " is not on " + DetachedBackend.DEVICE + ", whose kernels reach no other memory");
        }
        synchronized (buffer) {
            buffer.requireOpen();
            buffer.uses++;
        }
        return new Tensor(buffer.inner, tensor.dtype(), tensor.shape(), tensor.byteOffset());
    }

    /** Ends what {@link #retain} has begun. */
    static void release(Tensor tensor) {
        ((DetachedBuffer) tensor.buffer()).release();
    }

    private synchronized void release() {
        uses--;
        if (uses == 0) {
            inner.close();
        }
    }

    private void requireOpen() {
        if (!open) {
            throw new IllegalStateException(
                    "buffer '" + label() + "' of " + byteSize + " bytes is used after it was closed");
        }
    }

    @Override
    public Device device() {
        return DetachedBackend.DEVICE;
    }

    @Override
    public long byteSize() {
        return byteSize;
    }

    @Override
    public String label() {
        return inner.label();
    }

    @Override
    public synchronized MemorySegment host() {
        requireOpen();
        throw new IllegalStateException("buffer '" + label() + "' of " + byteSize + " bytes is on "
                + DetachedBackend.DEVICE + ", not in host memory; download it");
    }

    @Override
    public long address() {
        return host().address();
    }

    @Override
    public void close() {
        synchronized (this) {
            if (!open) {
                return;
            }
            open = false;
        }
        closed.accept(this);
        release();
    }
}
