package ds.zero.host;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Event;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.zero.optimizer.Transfers;
import java.util.ArrayList;
import java.util.List;

/** For an update on a device of weights that are kept in host memory: new ones go down in their own type. */
public final class WeightDownloads implements Transfers {
    private static final int BUFFERS = 2; // one is filled while the other travels

    private final TensorBackend device;
    private final Kernels kernels;
    private final Stream downloads;
    private final List<Buffer> buffers = new ArrayList<>();
    private final Event[] downloaded = new Event[BUFFERS];
    private int next;

    /**
     * Allocates the buffers.
     *
     * @param device that updates; borrowed
     * @param elements of a tile at most
     * @param weights their type
     */
    public WeightDownloads(TensorBackend device, long elements, DType weights) {
        this.device = device;
        this.kernels = device.kernels(device.computeStream());
        this.downloads = device.openStream();
        for (int i = 0; i < BUFFERS; i++) {
            buffers.add(device.allocate(elements * weights.byteSize(), "offloadBuffers"));
            downloaded[i] = Event.DONE;
        }
    }

    @Override
    public void expect(List<Tensor> gradients) {}

    @Override
    public Tensor take(Tensor gradient) {
        return gradient;
    }

    @Override
    public void publish(Tensor values, Tensor weights) {
        int slot = next;
        next = (next + 1) % BUFFERS;
        Tensor buffer = new Tensor(buffers.get(slot), weights.dtype(), Shape.of(weights.elements()));
        device.computeStream().await(downloaded[slot]);
        kernels.copy(values, buffer);
        downloads.await(device.computeStream().record());
        device.download(buffer, weights, downloads);
        downloaded[slot] = downloads.record();
    }

    /** Waits, since what reads them next is the host. */
    @Override
    public void published() {
        downloads.synchronize();
    }

    @Override
    public void await() {
        downloads.synchronize();
    }

    @Override
    public void close() {
        downloads.synchronize();
        downloads.close();
        buffers.forEach(Buffer::close);
    }
}
