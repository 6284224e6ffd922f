package ds.cli.job;

import ds.cli.terminal.Console;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * The ranks of this host, from start to end. When a rank fails, the others get a while to notice and to say so themselves, and
 * are ended then. However this process ends, no rank outlives it: SIGINT and SIGTERM are passed on and the ranks may end by
 * themselves (see {@link StopRequest}), with 0 if all of them do; if it is killed they notice (see {@link LauncherWatch}).
 *
 * {@snippet :
 * int code = new LocalJob(JobPlan.local(2), JavaCommand.ofThisProcess(), console).run(List.of("train", "--config", file));
 * }
 */
public final class LocalJob {
    /** How long the other ranks may take to report what they know of a failure. */
    public static final Duration DEFAULT_GRACE = Duration.ofSeconds(15);

    /** How long ranks may take to finish a step and to save it, once somebody has asked for the end. */
    private static final Duration STOPPING = Duration.ofMinutes(5);

    private static final Duration TERMINATION = Duration.ofSeconds(5);
    private static final Duration LAST_OUTPUT = Duration.ofSeconds(2);

    private final JobPlan plan;
    private final JavaCommand java;
    private final Console console;
    private final Duration grace;
    private final MergedOutput out;
    private final MergedOutput err;
    private final List<RankProcess> processes = new ArrayList<>();
    private volatile boolean interrupted;

    /** Describes a job; nothing is started. */
    public LocalJob(JobPlan plan, JavaCommand java, Console console) {
        this(plan, java, console, DEFAULT_GRACE);
    }

    /** Describes a job with another grace for the ranks that are left when one has failed. */
    public LocalJob(JobPlan plan, JavaCommand java, Console console, Duration grace) {
        this.plan = plan;
        this.java = java;
        this.console = console;
        this.grace = grace;
        this.out = new MergedOutput(console.out(), false, plan.rank(0));
        this.err = new MergedOutput(console.err(), console.isTerminal(), plan.rank(0));
    }

    /**
     * Runs a command of {@code ds} on every rank.
     *
     * @param arguments the command and its arguments
     * @return 0 if all ranks returned it, else the exit code of the rank that failed first
     */
    public int run(List<String> arguments) {
        var hook = Thread.ofPlatform().name("end-ranks").unstarted(() -> {
            interrupted = true;
            endAll(STOPPING);
            awaitOutput();
            console.flush();
            if (processes().stream().allMatch(process -> !process.isAlive() && process.exitCode() == 0)) {
                Runtime.getRuntime()
                        .halt(0); // they were asked to end, and did: not the 143 of a process that was ended
            }
        });
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            start(arguments);
            return supervise();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while ranks were running; they are ended", e);
        } finally {
            if (!interrupted) {
                endAll(TERMINATION);
                Runtime.getRuntime().removeShutdownHook(hook);
            }
            console.flush();
        }
    }

    private void start(List<String> arguments) {
        for (int localRank = 0; localRank < plan.ranksPerNode(); localRank++) {
            var builder = new ProcessBuilder(java.line(plan.threads(), arguments));
            Map<String, String> environment = plan.environment(localRank, System.getenv());
            builder.environment().clear();
            builder.environment().putAll(environment);
            try {
                add(RankProcess.start(plan.rank(localRank), builder, out, err));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private void add(RankProcess process) {
        synchronized (processes) {
            processes.add(process);
        }
    }

    private List<RankProcess> processes() {
        synchronized (processes) {
            return List.copyOf(processes);
        }
    }

    private int supervise() throws InterruptedException {
        BlockingQueue<RankProcess> ended = new LinkedBlockingQueue<>();
        for (RankProcess process : processes()) {
            var _ = process.onExit().thenAccept(ended::add); // cannot fail
        }
        for (int running = plan.ranksPerNode(); running > 0; running--) {
            RankProcess process = ended.take();
            if (process.exitCode() != 0) {
                endWithFailure(process);
                return process.exitCode();
            }
        }
        awaitOutput();
        return 0;
    }

    private void endWithFailure(RankProcess first) throws InterruptedException {
        long deadline = System.nanoTime() + grace.toNanos();
        for (RankProcess process : processes()) {
            process.waitFor(Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
        }
        List<Integer> late = processes().stream()
                .filter(RankProcess::isAlive)
                .map(RankProcess::rank)
                .toList();
        endAll(interrupted ? STOPPING : TERMINATION);
        awaitOutput();
        if (!interrupted) {
            String rest = late.isEmpty()
                    ? ""
                    : "; ranks " + late + " had not ended " + grace.toSeconds() + " s later and were ended";
            err.line("ds launch: rank " + first.rank() + " failed first, with " + first.ending() + rest);
        }
    }

    /** Ends what is left: asks, waits, and kills. */
    private void endAll(Duration patience) {
        List<RankProcess> left =
                processes().stream().filter(RankProcess::isAlive).toList();
        left.forEach(RankProcess::terminate);
        long deadline = System.nanoTime() + patience.toNanos();
        try {
            for (RankProcess process : left) {
                process.waitFor(Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // no more time for them
        }
        left.stream().filter(RankProcess::isAlive).forEach(RankProcess::kill);
    }

    private void awaitOutput() {
        try {
            for (RankProcess process : processes()) {
                process.awaitOutput(LAST_OUTPUT);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // no more time for last lines
        }
    }
}
