package ds.cli.job;

import ds.api.comm.Secret;
import ds.cli.terminal.Console;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Which ranks a job has, and what each is told. The ranks of host n are n·{@code ranksPerNode} and those that follow.
 *
 * @param ranksPerNode processes on each host
 * @param nodes how many hosts
 * @param nodeRank this host's number, from 0
 * @param masterHost where rank 0 listens
 * @param masterPort where rank 0 listens
 * @param trust what proves a rank to the others
 * @param threads that each rank may compute with
 */
public record JobPlan(
        int ranksPerNode, int nodes, int nodeRank, String masterHost, int masterPort, Trust trust, int threads) {
    private static final int SECRET_BYTES = 32;
    private static final String SECRET = "DS_SECRET";
    private static final String LOOPBACK = "127.0.0.1";

    /** Rejects numbers out of range. */
    public JobPlan {
        check("ranks", ranksPerNode, 1, 4096);
        check("nnodes", nodes, 1, 65536);
        check("node-rank", nodeRank, 0, nodes - 1);
        check("master-port", masterPort, 1, 65535);
        check("threads", threads, 1, 4096);
        trust.secret().ifPresent(Secret::of); // rejects short ones
    }

    private static void check(String what, int value, int least, int most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException("--" + what + " = " + value + ": must be in " + least + ".." + most);
        }
    }

    /** {@return a job on this host alone, with a port that is free now, a fresh secret, and the processors shared evenly} */
    public static JobPlan local(int ranks) {
        return new JobPlan(ranks, 1, 0, LOOPBACK, freePort(), freshTrust(), fairThreads(ranks));
    }

    /** {@return a fresh secret, and nothing else} */
    private static Trust freshTrust() {
        return new Trust(Optional.of(freshSecret()), Map.of());
    }

    /** {@return 256 random bits in hexadecimal digits} */
    public static String freshSecret() {
        byte[] bytes = new byte[SECRET_BYTES];
        new SecureRandom().nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    /** {@return this host's processors, divided among so many ranks; at least one} */
    public static int fairThreads(int ranks) {
        return Math.max(1, Runtime.getRuntime().availableProcessors() / Math.max(1, ranks));
    }

    /** {@return a loopback port on which nobody listens now} */
    public static int freePort() {
        try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** {@return how many ranks the job has on all hosts} */
    public int worldSize() {
        return ranksPerNode * nodes;
    }

    /** {@return the number in the whole job of this host's rank {@code localRank}} */
    int rank(int localRank) {
        return nodeRank * ranksPerNode + localRank;
    }

    /** {@return the environment of a rank} {@code inherited} is the launcher's own. */
    Map<String, String> environment(int localRank, Map<String, String> inherited) {
        var environment = new LinkedHashMap<>(inherited);
        environment.put("RANK", Integer.toString(rank(localRank)));
        environment.put("WORLD_SIZE", Integer.toString(worldSize()));
        environment.put("LOCAL_RANK", Integer.toString(localRank));
        environment.put("LOCAL_WORLD_SIZE", Integer.toString(ranksPerNode));
        environment.put("MASTER_ADDR", masterHost);
        environment.put("MASTER_PORT", Integer.toString(masterPort));
        environment.remove(SECRET);
        trust.secret().ifPresent(secret -> environment.put(SECRET, secret));
        environment.putAll(trust.tls());
        environment.put(LauncherWatch.LAUNCHED, "1");
        environment.putIfAbsent("OMP_NUM_THREADS", Integer.toString(threads));
        if (localRank != 0) {
            environment.remove(Console.COLUMNS); // one rank draws
        }
        return environment;
    }

    /** Leaves the secret out. */
    @Override
    public String toString() {
        return "JobPlan[%d ranks on each of %d hosts, this is host %d, master %s:%d, %d threads each]"
                .formatted(ranksPerNode, nodes, nodeRank, masterHost, masterPort, threads);
    }
}
