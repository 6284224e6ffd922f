package ds.api.comm;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The names under which launchers hand a process its place in the job. */
final class RendezvousEnvironment {
    private static final List<String> RANK = List.of("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK");
    private static final List<String> WORLD_SIZE =
            List.of("WORLD_SIZE", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE");
    private static final List<String> LOCAL_RANK =
            List.of("LOCAL_RANK", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID");

    private final Map<String, String> environment;

    RendezvousEnvironment(Map<String, String> environment) {
        this.environment = environment;
    }

    Rendezvous read() {
        Optional<String> rankName = present(RANK);
        Optional<String> worldName = present(WORLD_SIZE);
        if (rankName.isEmpty() && worldName.isEmpty()) {
            return Rendezvous.alone();
        }
        if (rankName.isEmpty() || worldName.isEmpty()) {
            throw new IllegalArgumentException((rankName.isEmpty() ? "RANK" : "WORLD_SIZE") + " is not set although "
                    + rankName.or(() -> worldName).orElseThrow() + " is; set both, or start with `ds launch`");
        }
        int rank = number(rankName.get());
        int worldSize = number(worldName.get());
        if (worldSize > 1 && !environment.containsKey("MASTER_ADDR")) {
            throw new IllegalArgumentException(worldName.get() + " = " + worldSize
                    + " but MASTER_ADDR is not set: set it to the host of rank 0, or start with `ds launch`");
        }
        int port = environment.containsKey("MASTER_PORT") ? number("MASTER_PORT") : Rendezvous.DEFAULT_PORT;
        int localRank = present(LOCAL_RANK).map(this::number).orElse(rank);
        String host = environment.getOrDefault("MASTER_ADDR", "127.0.0.1");
        Optional<Secret> secret =
                Optional.ofNullable(environment.get("DS_SECRET")).map(Secret::of);
        return new Rendezvous(rank, worldSize, localRank, host, port, secret);
    }

    private Optional<String> present(List<String> names) {
        return names.stream().filter(environment::containsKey).findFirst();
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
