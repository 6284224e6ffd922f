package ds.zero.host;

import ds.api.Device;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.spi.ProviderException;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.zero.config.Offload;
import ds.zero.config.ZeroConfig;
import ds.zero.config.ZeroOptimization;
import ds.zero.run.Stack;
import ds.zero.timing.StepTimer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What an engine runs on: a device, the host beside it where something is offloaded from a device of its own, and a communicator
 * that reaches the memory of both.
 */
public final class Machine implements AutoCloseable {
    private final Stack stack;
    private final Communicator world;
    private final TensorBackend host;
    private final List<AutoCloseable> owned; // in the order of closing

    private Machine(Stack stack, Communicator world, TensorBackend host, List<AutoCloseable> owned) {
        this.stack = stack;
        this.world = world;
        this.host = host;
        this.owned = owned;
    }

    /**
     * {@return the parts put together}
     *
     * @param given the device, and the ranks among which ZeRO shards; borrowed
     * @param all ranks of the job; borrowed
     * @param host borrowed; opened by its configured name where there is none and one is needed
     * @throws IllegalArgumentException if the communicator reaches neither the device nor the host
     */
    public static Machine of(ZeroConfig config, Stack given, Communicator all, Optional<TensorBackend> host) {
        TensorBackend device = given.backend();
        boolean besideHost = offloads(config.zero()) && !device.device().equals(Device.HOST);
        List<AutoCloseable> owned = new ArrayList<>();
        try {
            TensorBackend beside = device;
            if (besideHost) {
                beside = host.orElseGet(() -> openHost(config.runtime().hostBackend(), device, owned));
                requireHost(beside, config.runtime().hostBackend());
            }
            Communicator communicator = reaching(device, given.communicator(), besideHost, owned);
            Communicator world =
                    all.equals(given.communicator()) ? communicator : reaching(device, all, besideHost, owned);
            return new Machine(new Stack(device, communicator), world, beside, owned);
        } catch (RuntimeException e) {
            close(owned);
            throw e;
        }
    }

    private static boolean offloads(ZeroOptimization zero) {
        return !(zero.offloadOptimizer() instanceof Offload.None)
                || !(zero.offloadParameters() instanceof Offload.None);
    }

    private static TensorBackend openHost(String name, TensorBackend device, List<AutoCloseable> owned) {
        ProviderOptions options = ProviderOptions.none("ds.host_backend");
        int localRank = device.device().index(); // a rank has one device, and so its number on this host
        TensorBackend host = Providers.hostBackends().get(name).open(localRank, options);
        owned.add(host);
        return host;
    }

    private static void requireHost(TensorBackend host, String name) {
        if (!host.device().equals(Device.HOST)) {
            throw new ProviderException("ds.host_backend = " + name + ": its memory is on " + host.device()
                    + ", and what is offloaded has to be on the host; choose a backend that computes there");
        }
    }

    private static Communicator reaching(
            TensorBackend device, Communicator communicator, boolean besideHost, List<AutoCloseable> owned) {
        boolean reachesHost = communicator.accepts(Device.HOST);
        boolean reachesDevice = communicator.accepts(device.device());
        if (!reachesDevice && !reachesHost) {
            throw new IllegalArgumentException(
                    "rank " + communicator.rank() + ": the communicator reaches neither memory of " + device.device()
                            + ", where backend '" + device.name() + "' keeps its tensors, nor the host's, through which"
                            + " they could go; choose one that does");
        }
        if (reachesDevice && (reachesHost || !besideHost)) {
            return communicator;
        }
        StagedCommunicator staged = reachesDevice
                ? StagedCommunicator.forHost(device, communicator)
                : StagedCommunicator.forDevice(device, communicator);
        owned.addFirst(staged);
        return staged;
    }

    /** {@return all ranks of the job} */
    public Communicator world() {
        return world;
    }

    /** {@return the same, with every collective counted; it is closed in place of this one} */
    public Machine observedBy(StepTimer timer) {
        Communicator shards = timer.observe(stack.communicator());
        Communicator all = world.equals(stack.communicator()) ? shards : timer.observe(world);
        return new Machine(new Stack(stack.backend(), shards), all, host, owned);
    }

    /** {@return the device of the model, and the ranks among which ZeRO shards} */
    public Stack stack() {
        return stack;
    }

    /** {@return what computes on the host: the device itself where its memory is the host's, or nothing is offloaded} */
    public TensorBackend host() {
        return host;
    }

    /** {@return whether the host's memory is another one than the device's, and something is kept in it} */
    public boolean isDivided() {
        return !stack.backend().device().equals(host.device());
    }

    /** {@return a backend, with the ranks} */
    public Stack on(TensorBackend backend) {
        return new Stack(backend, stack.communicator());
    }

    @Override
    public void close() {
        close(owned);
    }

    private static void close(List<AutoCloseable> parts) {
        for (AutoCloseable part : parts) {
            switch (part) {
                case Communicator communicator -> communicator.close();
                case TensorBackend backend -> backend.close();
                default -> throw new IllegalStateException(part + " is neither of the two");
            }
        }
    }
}
