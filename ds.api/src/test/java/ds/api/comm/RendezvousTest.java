package ds.api.comm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RendezvousTest {
    private static final String SECRET = "0123456789abcdef0123456789abcdef";

    private static void assertRefused(String message, Map<String, String> environment) {
        IllegalArgumentException thrown =
                assertThrows(IllegalArgumentException.class, () -> Rendezvous.fromEnvironment(environment));
        assertTrue(thrown.getMessage().contains(message), thrown.getMessage());
    }

    @Test
    void withoutVariablesAProcessIsAlone() {
        assertEquals(Rendezvous.alone(), Rendezvous.fromEnvironment(Map.of("HOME", "/root")));
        assertEquals(1, Rendezvous.alone().worldSize());
    }

    @Test
    void torchrunsVariables() {
        Rendezvous found = Rendezvous.fromEnvironment(Map.of(
                "RANK",
                "5",
                "WORLD_SIZE",
                "8",
                "LOCAL_RANK",
                "1",
                "MASTER_ADDR",
                "n0",
                "MASTER_PORT",
                "1234",
                "DS_SECRET",
                SECRET));
        assertEquals(new Rendezvous(5, 8, 1, "n0", 1234, Optional.of(Secret.of(SECRET))), found);
    }

    @Test
    void defaultsOfWhatMayBeAbsent() {
        Rendezvous found =
                Rendezvous.fromEnvironment(Map.of("RANK", " 1 ", "WORLD_SIZE", "2", "MASTER_ADDR", "127.0.0.1"));
        assertEquals(new Rendezvous(1, 2, 1, "127.0.0.1", Rendezvous.DEFAULT_PORT, Optional.empty()), found);
    }

    @Test
    void slurmsVariables() {
        Rendezvous found = Rendezvous.fromEnvironment(
                Map.of("SLURM_PROCID", "3", "SLURM_NTASKS", "4", "SLURM_LOCALID", "1", "MASTER_ADDR", "n0"));
        assertEquals(new Rendezvous(3, 4, 1, "n0", Rendezvous.DEFAULT_PORT, Optional.empty()), found);
    }

    /** In a batch job every process of mpirun also sees the variables of the one Slurm task that started mpirun. */
    @Test
    void launchersAreNotMixed() {
        Map<String, String> openMpiInSlurm = Map.of(
                "SLURM_PROCID",
                "0",
                "SLURM_NTASKS",
                "1",
                "OMPI_COMM_WORLD_RANK",
                "2",
                "OMPI_COMM_WORLD_SIZE",
                "4",
                "OMPI_COMM_WORLD_LOCAL_RANK",
                "0",
                "MASTER_ADDR",
                "n0");
        assertEquals(2, Rendezvous.fromEnvironment(openMpiInSlurm).rank());
        assertEquals(4, Rendezvous.fromEnvironment(openMpiInSlurm).worldSize());
        assertRefused("WORLD_SIZE is not set although RANK is", Map.of("RANK", "1", "SLURM_NTASKS", "4"));
    }

    @Test
    void whatDoesNotFitIsNamed() {
        assertRefused("RANK is not set although WORLD_SIZE is", Map.of("WORLD_SIZE", "2"));
        assertRefused("RANK = x: must be a whole number", Map.of("RANK", "x", "WORLD_SIZE", "1"));
        assertRefused("RANK = 2: must be in 0..1", Map.of("RANK", "2", "WORLD_SIZE", "2", "MASTER_ADDR", "n0"));
        assertRefused("WORLD_SIZE = 2 but MASTER_ADDR is not set", Map.of("RANK", "0", "WORLD_SIZE", "2"));
        assertRefused("MASTER_PORT = 70000", Map.of("RANK", "0", "WORLD_SIZE", "1", "MASTER_PORT", "70000"));
        assertRefused("the secret has 5 bytes", Map.of("RANK", "0", "WORLD_SIZE", "1", "DS_SECRET", "short"));
    }

    @Test
    void secretIsNeverPrinted() {
        Rendezvous found = Rendezvous.fromEnvironment(Map.of("RANK", "0", "WORLD_SIZE", "1", "DS_SECRET", SECRET));
        assertFalse(found.toString().contains("0123"), found.toString());
        assertEquals(SECRET.length(), found.secret().orElseThrow().bytes().length);
    }
}
