package ds.comm.tcp.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * Faults at random points of jobs that check their own numbers: every job ends in time, with the name of the rank concerned, or
 * goes on; none with a wrong number. {@code -Dcount=200} makes so many runs, {@code -Dseed=S} others; 8 by default.
 */
class FaultsTest {
    private static final int RANKS = 3;
    private static final long RUN_MILLIS = 1500;
    /** Ranks meet within it too, on whatever machine. */
    private static final double TIMEOUT_SECONDS = 6;

    /** Beyond the deadline: the grace of an end, the table of who is missing, and a machine with other things to do. */
    private static final double SLACK_SECONDS = 12;

    private static final Path REPORT = Path.of("target", "faults.txt");

    private static final Pattern NAMED =
            Pattern.compile("rank (\\d+) \\(|ranks \\[([\\d, ]+)\\]|rank (\\d+) does not listen");

    private final boolean namespaces = TwoHosts.available();

    private record Run(int number, Fault fault, int victim, long afterMillis, long whileMillis, boolean shared) {
        static Run of(int number, Random random) {
            Fault[] all = Fault.values();
            Fault fault = all[random.nextInt(all.length)];
            int victim = fault.ofLink() ? 1 + random.nextInt(RANKS - 1) : random.nextInt(RANKS);
            return new Run(
                    number, fault, victim, random.nextInt(700), 200 + random.nextInt(1200), random.nextBoolean());
        }
    }

    @Test
    void everyFaultEndsInTimeWithTheRightNameOrIsSurvived() throws Exception {
        int count = Integer.getInteger("count", 8);
        long seed = Long.getLong("seed", 2026);
        Random random = new Random(seed);
        Map<Fault, Tally> tallies = new EnumMap<>(Fault.class);
        List<String> failures = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Run run = Run.of(i, random);
            if (run.fault() == Fault.LINK_CUT && !namespaces) {
                tallies.computeIfAbsent(run.fault(), fault -> new Tally()).skipped++;
                continue;
            }
            try {
                tallies.computeIfAbsent(run.fault(), fault -> new Tally()).add(play(run));
            } catch (AssertionError e) {
                failures.add("seed " + seed + ", " + run + ": " + e.getMessage());
            }
            Files.writeString(REPORT, "seed " + seed + ": " + tallies + "\nfailures: " + failures + "\n");
        }
        assertEquals(List.of(), failures);
    }

    /** What became of the runs with one fault. */
    private static final class Tally {
        private int runs;
        private int skipped;
        private double longestSeconds;

        void add(double seconds) {
            runs++;
            longestSeconds = Math.max(longestSeconds, seconds);
        }

        @Override
        public String toString() {
            return runs
                    + " runs as they must be, the longest ended %.1f s after the fault".formatted(longestSeconds)
                    + (skipped == 0 ? "" : ", " + skipped + " SKIPPED: network namespaces need root and `ip`");
        }
    }

    /** {@return how many seconds after the fault the last rank ended} */
    private static double play(Run run) throws Exception {
        if (run.fault() != Fault.LINK_CUT) {
            return play(run, Optional.empty());
        }
        try (TwoHosts hosts = TwoHosts.open("dsf" + ProcessHandle.current().pid() + "n" + run.number())) {
            return play(run, Optional.of(hosts));
        }
    }

    private static double play(Run run, Optional<TwoHosts> hosts) throws Exception {
        int port = freePort();
        try (FaultyProxy proxy = new FaultyProxy(port);
                Job job = new Job(
                        ports(port, proxy, run),
                        Map.of(),
                        hosts,
                        Long.toString(RUN_MILLIS),
                        "timeout_seconds=" + TIMEOUT_SECONDS,
                        "shared_memory=" + (run.shared() && !run.fault().ofLink()))) {
            job.begin(run.fault() != Fault.KILLED_EARLY);
            if (run.fault() != Fault.KILLED_EARLY) {
                for (Job.Rank rank : job.ranks()) {
                    rank.awaitLine("joined");
                }
            }
            TimeUnit.MILLISECONDS.sleep(run.afterMillis());
            long struck = System.nanoTime();
            strike(run, job, proxy, hosts);
            return judge(run, job, struck);
        }
    }

    /** The link between rank 0 and the victim goes through the proxy. */
    private static List<Integer> ports(int port, FaultyProxy proxy, Run run) {
        List<Integer> ports = new ArrayList<>();
        for (int rank = 0; rank < RANKS; rank++) {
            ports.add(
                    run.fault().ofLink() && run.fault() != Fault.LINK_CUT && rank == run.victim()
                            ? proxy.port()
                            : port);
        }
        return ports;
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static void strike(Run run, Job job, FaultyProxy proxy, Optional<TwoHosts> hosts) throws Exception {
        Process victim = job.rank(run.victim()).process();
        switch (run.fault()) {
            case KILLED, KILLED_EARLY -> victim.destroyForcibly();
            case FROZEN -> Signal.STOP.send(victim);
            case FROZEN_FOR_A_WHILE -> {
                Signal.STOP.send(victim);
                TimeUnit.MILLISECONDS.sleep(run.whileMillis());
                Signal.CONT.send(victim);
            }
            case LINK_SILENT -> proxy.hold(true);
            case LINK_SILENT_FOR_A_WHILE -> {
                proxy.hold(true);
                TimeUnit.MILLISECONDS.sleep(run.whileMillis());
                proxy.hold(false);
            }
            case LINK_CUT -> hosts.orElseThrow().cut();
            case LINK_RESET -> proxy.reset();
            case LINK_HALF_CLOSED -> proxy.halfClose();
        }
    }

    private static double judge(Run run, Job job, long struck) throws InterruptedException {
        long deadline = struck + (long) ((TIMEOUT_SECONDS + SLACK_SECONDS) * 1e9);
        double longest = 0;
        List<Boolean> stalled = new ArrayList<>();
        StringBuilder all = new StringBuilder();
        for (int rank = 0; rank < RANKS; rank++) {
            boolean gone = rank == run.victim()
                    && !run.fault().recovers()
                    && !run.fault().ofLink();
            if (gone) {
                continue; // killed, or frozen for ever
            }
            Job.Rank each = job.rank(rank);
            if (!each.awaitEnd(deadline)) {
                fail("rank " + rank + " hangs; it said:\n" + each.said());
            }
            longest = Math.max(longest, (each.endNanos() - struck) / 1e9);
            String said = each.said();
            int code = each.process().exitValue();
            boolean finished = code == 0 && said.contains("done after");
            if (run.fault().recovers()) {
                assertTrue(finished, () -> "did not go on; exit code " + code + ":\n" + said);
            } else if (!finished) { // the fault may have come after the last word
                assertEquals(1, code, said);
                boolean right = right(run, rank, said);
                assertTrue(right || run.fault().stalls(), () -> "does not name rank " + run.victim() + ":\n" + said);
                stalled.add(right);
                all.append(said);
            }
        }
        assertTrue(
                stalled.isEmpty() || stalled.contains(true), () -> "nobody names rank " + run.victim() + ":\n" + all);
        return longest;
    }

    private static boolean right(Run run, int rank, String said) {
        List<Integer> named = named(said);
        return named.contains(run.victim())
                || (run.fault().ofLink() && named.contains(0))
                || (run.fault() == Fault.LINK_CUT && rank == 0 && !named.isEmpty());
    }

    /** {@return the ranks to which the last message points} */
    private static List<Integer> named(String said) {
        String error = said.substring(Math.max(0, said.lastIndexOf("error: ")));
        List<Integer> ranks = new ArrayList<>();
        Matcher matcher = NAMED.matcher(error);
        while (matcher.find()) {
            for (int group = 1; group <= matcher.groupCount(); group++) {
                if (matcher.group(group) != null) {
                    for (String number : matcher.group(group).split(", ", -1)) {
                        ranks.add(Integer.parseInt(number));
                    }
                }
            }
        }
        return ranks;
    }
}
