package ds.cli;

import ds.api.comm.Rendezvous;
import ds.cli.job.JavaCommand;
import ds.cli.job.JobPlan;
import ds.cli.job.LocalJob;
import ds.cli.job.Trust;
import ds.cli.terminal.Console;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Starts the ranks of a job on this host. */
@Command(
        name = "launch",
        header = "Run a command on several ranks, each a process of this host.",
        description = {
            "",
            "Every rank gets RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT and DS_SECRET in its "
                    + "environment. Rank 0's output passes as it is, that of the others with [rank r] before each line. "
                    + "When a rank fails, the others get a while to report what they saw, then all are ended; the exit code "
                    + "is that of the rank that failed first.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  ds launch --ranks 2 -- train --config train.json",
            "On two hosts, with the same secret on both:",
            "  ds launch --ranks 8 --nnodes 2 --node-rank 0 --master-addr host0 --secret-file key -- train ...",
            "  ds launch --ranks 8 --nnodes 2 --node-rank 1 --master-addr host0 --secret-file key -- train ...",
            "With certificates, for a network that others can listen to, add to each:",
            "  --tls-certificate host0.pem --tls-key host0.key --tls-ca job-ca.pem"
        })
final class LaunchCommand implements Callable<Integer> {
    private final Console console;
    private final Map<String, String> environment;

    @Spec
    private CommandSpec spec;

    @Option(names = "--ranks", required = true, paramLabel = "N", description = "Processes on this host.")
    private int ranks;

    @Option(names = "--threads", paramLabel = "N", description = "Threads of each rank; default: processors / ranks.")
    private Optional<Integer> threads = Optional.empty();

    @Option(
            names = "--nnodes",
            paramLabel = "N",
            defaultValue = "1",
            description = "Hosts of the job; on each, `ds launch` is run. Default ${DEFAULT-VALUE}.")
    private int nodes;

    @Option(
            names = "--node-rank",
            paramLabel = "R",
            defaultValue = "0",
            description = "This host's number, from 0. Default ${DEFAULT-VALUE}.")
    private int nodeRank;

    @Option(
            names = "--master-addr",
            paramLabel = "HOST",
            description = "Host of rank 0, as the others reach it. Default on one host: 127.0.0.1.")
    private Optional<String> masterHost = Optional.empty();

    @Option(
            names = "--master-port",
            paramLabel = "PORT",
            description = "Port of rank 0. Default on one host: a free one, otherwise " + Rendezvous.DEFAULT_PORT + ".")
    private Optional<Integer> masterPort = Optional.empty();

    @Option(
            names = "--secret-file",
            paramLabel = "FILE",
            description =
                    "File with the secret that all ranks share, at least 16 characters. Default: DS_SECRET of the "
                            + "environment, or on one host a fresh one.")
    private Optional<Path> secretFile = Optional.empty();

    @Mixin
    private TlsFilesOption tlsFiles = new TlsFilesOption();

    @Option(
            names = "--grace",
            paramLabel = "SECONDS",
            defaultValue = "15",
            description = "How long the other ranks may go on after one has failed. Default ${DEFAULT-VALUE}.")
    private int graceSeconds;

    @Parameters(
            arity = "1..*",
            paramLabel = "COMMAND ARG",
            description = "A command of ds and its arguments, after --.")
    private List<String> command = List.of();

    LaunchCommand(Console console, Map<String, String> environment) {
        this.console = console;
        this.environment = environment;
    }

    @Override
    public Integer call() {
        if (!spec.root().subcommands().containsKey(command.getFirst())) {
            throw usage(command.getFirst() + ": no such command of ds; there are "
                    + spec.root().subcommands().keySet());
        }
        return new LocalJob(plan(), JavaCommand.ofThisProcess(), console, Duration.ofSeconds(graceSeconds))
                .run(command);
    }

    /** {@return what the options say} */
    JobPlan plan() {
        boolean alone = nodes == 1;
        if (!alone && masterHost.isEmpty()) {
            throw usage("--nnodes = " + nodes + " needs --master-addr, the host of rank 0");
        }
        try {
            return new JobPlan(
                    ranks,
                    nodes,
                    nodeRank,
                    masterHost.orElse("127.0.0.1"),
                    masterPort.orElseGet(() -> alone ? JobPlan.freePort() : Rendezvous.DEFAULT_PORT),
                    trust(alone),
                    threads.orElseGet(() -> JobPlan.fairThreads(ranks)));
        } catch (IllegalArgumentException e) {
            throw usage(e.getMessage());
        }
    }

    private Trust trust(boolean alone) {
        Map<String, String> tls = tlsFiles.variables();
        Optional<String> given =
                secretFile.map(LaunchCommand::read).or(() -> Optional.ofNullable(environment.get("DS_SECRET")));
        boolean certified = Stream.of("DS_TLS_CERTIFICATE", "DS_TLS_KEYSTORE")
                .anyMatch(name -> tls.containsKey(name) || environment.containsKey(name));
        if (given.isEmpty() && !alone && !certified) {
            throw usage(
                    "--nnodes = " + nodes + " needs a secret that all hosts share: --secret-file, or DS_SECRET in the "
                            + "environment; `openssl rand -hex 32` makes one; or certificates, as by --tls-certificate");
        }
        return new Trust(alone ? Optional.of(given.orElseGet(JobPlan::freshSecret)) : given, tls);
    }

    private static String read(Path file) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private ParameterException usage(String message) {
        return new ParameterException(spec.commandLine(), message);
    }
}
