package ds.api.comm;

import java.util.Map;
import java.util.Optional;

/**
 * Who meets where: one process's place in the job, as torchrun, Slurm's and others' launchers hand it down.
 *
 * @param rank of this process, 0 to worldSize − 1
 * @param worldSize how many processes
 * @param localRank among the processes of this host
 * @param masterHost where rank 0 listens
 * @param masterPort where rank 0 listens
 * @param secret that all ranks share; without one only loopback is listened on
 */
public record Rendezvous(
        int rank, int worldSize, int localRank, String masterHost, int masterPort, Optional<Secret> secret) {
    /** The port if none is given, as in PyTorch and DeepSpeed. */
    public static final int DEFAULT_PORT = 29500;

    /** Rejects ranks and ports out of range. */
    public Rendezvous {
        if (worldSize < 1) {
            throw new IllegalArgumentException("WORLD_SIZE = " + worldSize + ": must be at least 1");
        }
        if (rank < 0 || rank >= worldSize) {
            throw new IllegalArgumentException("RANK = " + rank + ": must be in 0.." + (worldSize - 1));
        }
        if (localRank < 0) {
            throw new IllegalArgumentException("LOCAL_RANK = " + localRank + ": must not be negative");
        }
        if (masterPort < 1 || masterPort > 65535) {
            throw new IllegalArgumentException("MASTER_PORT = " + masterPort + ": must be in 1..65535");
        }
    }

    /** {@return a job of one process, which meets nobody} */
    public static Rendezvous alone() {
        return new Rendezvous(0, 1, 0, "127.0.0.1", DEFAULT_PORT, Optional.empty());
    }

    /**
     * Reads {@code RANK}, {@code WORLD_SIZE}, {@code LOCAL_RANK}, {@code MASTER_ADDR}, {@code MASTER_PORT} and
     * {@code DS_SECRET}; where the first two are absent, the variables of Open MPI ({@code OMPI_COMM_WORLD_RANK}, …), of
     * other MPIs ({@code PMI_RANK}, …) or else of Slurm ({@code SLURM_PROCID}, …). A process without any of them is alone.
     *
     * @param environment such as {@link System#getenv()}
     * @throws IllegalArgumentException naming the variable, its value and the remedy
     */
    public static Rendezvous fromEnvironment(Map<String, String> environment) {
        return new RendezvousEnvironment(environment).read();
    }
}
