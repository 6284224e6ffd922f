package ds.zero.host;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Event;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.zero.optimizer.Transfers;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * For an update on the host of a model on a device (ZeRO-Offload, arXiv:2101.06840): gradients come down tile by tile, and new
 * weights go up in their own type, each by a stream and through pinned buffers of its own, while other tiles are updated.
 */
public final class HostTransfers implements Transfers {
    private static final int GRADIENTS =
            3; // one in use, the next there or arriving, and one that may be started meanwhile
    private static final int WEIGHTS = 2; // one is filled while the other travels
    private static final String LABEL = "offloadBuffers";

    private final TensorBackend device;
    private final TensorBackend host;
    private final Kernels kernels;
    private final Stream downloads;
    private final Stream uploads;
    private final List<Buffer> gradients = new ArrayList<>();
    private final List<Buffer> weights = new ArrayList<>();
    private final Event[] uploaded = new Event[WEIGHTS];
    private final Deque<Tensor> expected = new ArrayDeque<>();
    private final Deque<Arrival> arriving = new ArrayDeque<>();
    private int nextGradient;
    private int nextWeights;
    private boolean ordered; // whether uploads come after what the compute stream had to do with the old weights

    /** A gradient on its way. */
    private record Arrival(Tensor of, Tensor tensor, Event there) {}

    /**
     * What travels at once.
     *
     * @param elements of a tile at most
     * @param gradients their type on the device
     * @param weights their type on the device
     */
    public record Tile(long elements, DType gradients, DType weights) {}

    /**
     * Allocates the buffers.
     *
     * @param device of gradients, and of weights unless they are on the host, too; borrowed
     * @param host that updates; borrowed
     */
    public HostTransfers(TensorBackend device, TensorBackend host, Tile tile) {
        this.device = device;
        this.host = host;
        this.kernels = host.kernels(host.computeStream());
        this.downloads = device.openStream();
        this.uploads = device.openStream();
        for (int i = 0; i < GRADIENTS; i++) {
            gradients.add(device.allocateHost(tile.elements() * tile.gradients().byteSize(), LABEL));
        }
        for (int i = 0; i < WEIGHTS; i++) {
            weights.add(device.allocateHost(tile.elements() * tile.weights().byteSize(), LABEL));
            uploaded[i] = Event.DONE;
        }
    }

    @Override
    public void expect(List<Tensor> all) {
        if (!expected.isEmpty() || !arriving.isEmpty()) {
            throw new IllegalStateException(expected.size() + arriving.size() + " gradients were not taken");
        }
        downloads.await(device.computeStream().record());
        expected.addAll(all);
        for (int i = 1; i < GRADIENTS; i++) {
            startNext();
        }
    }

    private void startNext() {
        if (!expected.isEmpty()) {
            Tensor gradient = expected.removeFirst();
            Tensor buffer = new Tensor(gradients.get(nextGradient), gradient.dtype(), Shape.of(gradient.elements()));
            nextGradient = (nextGradient + 1) % GRADIENTS;
            device.download(gradient, buffer, downloads);
            arriving.addLast(new Arrival(gradient, buffer, downloads.record()));
        }
    }

    @Override
    public Tensor take(Tensor gradient) {
        if (arriving.isEmpty() || !arriving.getFirst().of().equals(gradient)) {
            throw new IllegalStateException(gradient + " is taken out of order");
        }
        host.computeStream().synchronize(); // what was taken last is overwritten now
        startNext();
        Arrival arrival = arriving.removeFirst();
        arrival.there().synchronize();
        return arrival.tensor();
    }

    @Override
    public void publish(Tensor values, Tensor target) {
        if (target.buffer().device().equals(Device.HOST)) {
            kernels.copy(values, target);
            return;
        }
        int slot = nextWeights;
        nextWeights = (nextWeights + 1) % WEIGHTS;
        uploaded[slot].synchronize();
        Tensor buffer = new Tensor(weights.get(slot), target.dtype(), Shape.of(target.elements()));
        kernels.copy(values, buffer);
        host.computeStream().synchronize();
        if (!ordered) {
            uploads.await(device.computeStream().record());
            ordered = true;
        }
        device.upload(buffer, target, uploads);
        uploaded[slot] = uploads.record();
    }

    @Override
    public void published() {
        device.computeStream().await(uploads.record());
        ordered = false;
    }

    @Override
    public void await() {
        host.computeStream().synchronize();
        uploads.synchronize();
    }

    @Override
    public void close() {
        downloads.synchronize();
        uploads.synchronize();
        downloads.close();
        uploads.close();
        gradients.forEach(Buffer::close);
        weights.forEach(Buffer::close);
    }
}
