package ds.comm.nccl;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.Rendezvous;
import ds.api.comm.Secret;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.cuda.NativeLibrary;
import ds.tck.comm.CommunicatorContract;
import ds.tck.comm.RankBody;
import ds.tck.comm.RankThreads;
import ds.zero.host.StagedCommunicator;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.net.ServerSocket;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/**
 * The contract of communicators for host tensors that go through the memory of emulated GPUs, on an emulated NCCL that sums in the order
 * of ranks: what of it is ours. What NCCL does not do, and so this communicator does not, is left out below.
 */
class NcclContractTest extends CommunicatorContract {
    @BeforeEach
    void needsTheEmulatedNccl() throws Throwable {
        assumeTrue(System.getenv("DS_EMULATED_DEVICES") != null, "not the emulated device");
        sumInOrder(true);
    }

    @AfterEach
    void asNcclAgain() throws Throwable {
        if (System.getenv("DS_EMULATED_DEVICES") != null) {
            sumInOrder(false);
        }
    }

    private static void sumInOrder(boolean on) throws Throwable {
        int status = (int) NativeLibrary.load("the emulated NCCL", List.of("libnccl.so.2"))
                .function("emulatedSumsInOrderOfRanks", ValueLayout.JAVA_INT)
                .invokeExact(on ? 1 : 0);
        assumeTrue(status == 0);
    }

    @Override
    public void run(int worldSize, RankBody body) throws Exception {
        int port = freePort();
        RankThreads.run(worldSize, rank -> open(rank, worldSize, port), communicator -> {
            try (TensorBackend device = Providers.backends()
                            .get("cuda")
                            .open(communicator.rank(), ProviderOptions.none("ds.backend_options"));
                    Communicator both = StagedCommunicator.forHost(device, communicator)) {
                body.run(both);
            }
        });
    }

    private static Communicator open(int rank, int worldSize, int port) {
        Optional<Secret> secret = Optional.of(Secret.of("a secret of the test's own"));
        return new NcclCommunicatorProvider()
                .open(
                        new Rendezvous(rank, worldSize, rank, "127.0.0.1", port, secret),
                        ProviderOptions.none("ds.communicator_options"));
    }

    private static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0)) {
            return free.getLocalPort();
        }
    }

    /** NCCL's wait on the stream for their receiver, in front of all that follows. */
    @Override
    public boolean sends() {
        return false;
    }

    /** NCCL's MAX does not. */
    @Override
    public boolean findsNaN() {
        return false;
    }
}
