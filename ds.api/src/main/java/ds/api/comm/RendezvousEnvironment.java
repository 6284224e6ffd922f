package ds.api.comm;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The names under which launchers hand a process its place in the job. */
final class RendezvousEnvironment {
    /** In this order: what Slurm sets for a job is inherited by all that the job starts, such as Open MPI's launcher. */
    private static final List<Launcher> LAUNCHERS = List.of(
            new Launcher("RANK", "WORLD_SIZE", "LOCAL_RANK"),
            new Launcher("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
            new Launcher("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
            new Launcher("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"));

    /** The names that one launcher uses; they are never mixed with another's. */
    private record Launcher(String rank, String worldSize, String localRank) {}

    private final Map<String, String> environment;

    RendezvousEnvironment(Map<String, String> environment) {
        this.environment = environment;
    }

    Rendezvous read() {
        Optional<Launcher> found = LAUNCHERS.stream()
                .filter(one -> environment.containsKey(one.rank()) || environment.containsKey(one.worldSize()))
                .findFirst();
        return found.map(this::read).orElseGet(Rendezvous::alone);
    }

    private Rendezvous read(Launcher launcher) {
        requireBoth(launcher.rank(), launcher.worldSize());
        requireBoth(launcher.worldSize(), launcher.rank());
        int rank = number(launcher.rank());
        int worldSize = number(launcher.worldSize());
        if (worldSize > 1 && !environment.containsKey("MASTER_ADDR")) {
            throw new IllegalArgumentException(launcher.worldSize() + " = " + worldSize
                    + " but MASTER_ADDR is not set: set it to the host of rank 0, or start with `ds launch`");
        }
        int port = environment.containsKey("MASTER_PORT") ? number("MASTER_PORT") : Rendezvous.DEFAULT_PORT;
        int localRank = environment.containsKey(launcher.localRank()) ? number(launcher.localRank()) : rank;
        String host = environment.getOrDefault("MASTER_ADDR", "127.0.0.1");
        Optional<Secret> secret =
                Optional.ofNullable(environment.get("DS_SECRET")).map(Secret::of);
        return new Rendezvous(rank, worldSize, localRank, host, port, secret);
    }

    private void requireBoth(String wanted, String other) {
        if (!environment.containsKey(wanted)) {
            throw new IllegalArgumentException(
                    wanted + " is not set although " + other + " is; set both, or start with `ds launch`");
        }
    }

    private int number(String name) {
        String value = environment.get(name);
        try {
            return Integer.parseInt(value.strip());
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(name + " = " + value + ": must be a whole number", e);
        }
    }
}
