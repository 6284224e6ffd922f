package ds.comm.nccl;

import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.CommunicatorException;
import ds.api.comm.Rendezvous;
import ds.api.spi.Availability;
import ds.api.spi.CommunicatorProvider;
import ds.api.spi.ProviderException;
import ds.api.spi.ProviderOptions;
import ds.comm.nccl.driver.Nccl;
import ds.cuda.CudaDevice;
import ds.cuda.CudaDriver;
import ds.cuda.CudaException;
import java.io.IOException;
import java.net.Socket;
import java.time.Duration;
import java.util.Optional;

/**
 * The provider named "nccl". Options: {@code device}, the rank's GPU (by default the local rank, as for backend "cuda"); {@code
 * timeout_seconds}, how long ranks wait for each other and for a collective (600).
 */
public final class NcclCommunicatorProvider implements CommunicatorProvider {
    private static final String DEVICE_TYPE = "cuda";

    /** Loads nothing. */
    public NcclCommunicatorProvider() {}

    @Override
    public String name() {
        return "nccl";
    }

    @Override
    public boolean reaches(String deviceType) {
        return deviceType.equals(DEVICE_TYPE);
    }

    @Override
    public Availability availability() {
        try {
            int gpus = new CudaDriver().devices().size();
            String version = new Nccl().version();
            return gpus == 0
                    ? new Availability.Unavailable(
                            "the CUDA driver sees no GPU; see nvidia-smi, and CUDA_VISIBLE_DEVICES")
                    : new Availability.Available("NCCL " + version + ", " + gpus + " GPUs");
        } catch (LinkageError | CudaException e) {
            return new Availability.Unavailable(e.getMessage());
        }
    }

    @Override
    public Communicator open(Rendezvous rendezvous, ProviderOptions options) {
        long device = options.integer("device", rendezvous.localRank());
        long seconds = options.integer("timeout_seconds", 600);
        options.rejectUnknown();
        if (seconds < 1 || seconds > 86400) {
            throw new ProviderException("ds.communicator nccl: timeout_seconds = " + seconds
                    + ": must be from 1 to 86400; 600 is the default");
        }
        try {
            return open(rendezvous, Math.toIntExact(device), Duration.ofSeconds(seconds));
        } catch (LinkageError e) {
            throw new ProviderException("ds.communicator = nccl: " + e.getMessage(), e);
        } catch (CudaException e) {
            throw new CommunicatorException("rank " + rendezvous.rank() + ": " + e.getMessage(), e);
        }
    }

    private static Communicator open(Rendezvous rendezvous, int device, Duration timeout) {
        Nccl nccl = new Nccl();
        CudaDevice gpu = CudaDevice.open(device);
        Meeting.Met met = new Meeting(rendezvous, timeout).join(nccl::uniqueId);
        long group;
        try {
            group = nccl.join(rendezvous.worldSize(), met.id(), rendezvous.rank());
        } catch (CudaException e) {
            met.connections().values().forEach(NcclCommunicatorProvider::close);
            throw e;
        }
        Job job = new Job(rendezvous.rank(), gpu, nccl, met.connections(), timeout);
        Communicator world = new NcclCommunicator(job, Optional.empty(), device, group);
        world.barrier(Call.now("join")).await(); // connects the ranks: what is wrong with the network shows here
        return world;
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            System.getLogger(NcclCommunicatorProvider.class.getName())
                    .log(System.Logger.Level.DEBUG, "closing a connection", e);
        }
    }
}
