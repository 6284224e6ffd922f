package ds.cli.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import ds.api.comm.Rendezvous;
import ds.api.comm.Secret;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class JobPlanTest {
    private static final String SECRET = "0123456789abcdef";

    private final JobPlan plan = new JobPlan(2, 3, 1, "host0", 29500, new Trust(Optional.of(SECRET), Map.of()), 4);

    @Test
    void ranksOfSecondHostFollowThoseOfTheFirst() {
        assertEquals(
                new Rendezvous(3, 6, 1, "host0", 29500, Optional.of(Secret.of(SECRET))),
                Rendezvous.fromEnvironment(plan.environment(1, Map.of())));
    }

    @Test
    void oneRankDrawsOnTheTerminal() {
        Map<String, String> inherited = Map.of("DS_COLUMNS", "80", "PATH", "/bin");
        assertEquals("80", plan.environment(0, inherited).get("DS_COLUMNS"));
        assertFalse(plan.environment(1, inherited).containsKey("DS_COLUMNS"));
        assertEquals("/bin", plan.environment(1, inherited).get("PATH"));
    }

    @Test
    void threadsOfTheUserStay() {
        assertEquals("4", plan.environment(0, Map.of()).get("OMP_NUM_THREADS"));
        assertEquals("1", plan.environment(0, Map.of("OMP_NUM_THREADS", "1")).get("OMP_NUM_THREADS"));
        assertEquals(1, JobPlan.fairThreads(1_000_000));
    }

    @Test
    void certificatesTakeThePlaceOfASecretThatIsInherited() {
        var trust = new Trust(Optional.empty(), Map.of("DS_TLS_CERTIFICATE", "/certificates/host1.pem"));
        var certified = new JobPlan(2, 3, 1, "host0", 29500, trust, 4);
        Map<String, String> environment = certified.environment(0, Map.of("DS_SECRET", SECRET));
        assertEquals("/certificates/host1.pem", environment.get("DS_TLS_CERTIFICATE"));
        assertFalse(environment.containsKey("DS_SECRET"));
    }

    @Test
    void secretIsNotPrinted() {
        assertFalse(plan.toString().contains(SECRET));
    }
}
