package ds.cli;

import ds.api.comm.Rendezvous;
import ds.bench.Collective;
import ds.bench.CommBenchmark;
import ds.bench.CommResult;
import ds.bench.CommSetup;
import ds.cli.terminal.Console;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Collectives. */
@Command(
        name = "comm",
        header = "Time collectives between ranks.",
        description = {
            "Times each operation on each size, and compares every result with what it must be. Bytes are those of the whole "
                    + "buffer; bus bandwidth is counted as nccl-tests does, so that it is comparable with that of the link. "
                    + "cpu is the processor time of all ranks together.",
            "A process that has RANK and WORLD_SIZE in its environment is one rank; otherwise --ranks are started here."
        },
        footer = {
            "",
            "Examples:",
            "  ds bench comm --ranks 2",
            "  ds bench comm --ranks 4 --ops allReduce,allGather --bytes 4096,67108864 --dtype bf16 --json"
        })
final class BenchCommCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private RanksOption ranks = new RanksOption();

    @Mixin
    private CommunicationOptions communication = new CommunicationOptions();

    @Option(
            names = "--ops",
            paramLabel = "OP",
            split = ",",
            converter = CollectiveConverter.class,
            defaultValue = "allReduce,reduceScatter,allGather,broadcast,reduce,gather,allToAll",
            description = "Operations; default all: ${DEFAULT-VALUE}.")
    private List<Collective> operations;

    @Option(
            names = "--bytes",
            paramLabel = "B",
            split = ",",
            defaultValue = "4096,65536,1048576,16777216,67108864",
            description = "Sizes; default ${DEFAULT-VALUE}.")
    private List<Long> bytes;

    @Option(
            names = "--warm-up",
            paramLabel = "S",
            defaultValue = "0.2",
            description =
                    "How long each operation is called on each size before anything is timed, and again before it is; "
                            + "default ${DEFAULT-VALUE}.")
    private double warmUp;

    @Option(
            names = "--repeats",
            paramLabel = "N",
            defaultValue = "5",
            description = "Timings, of which the median is told; default ${DEFAULT-VALUE}.")
    private int repeats;

    @Option(
            names = "--seconds",
            paramLabel = "S",
            defaultValue = "0.2",
            description = "What the calls of one timing take together, or one call if that is longer; default "
                    + "${DEFAULT-VALUE}.")
    private double seconds;

    @Option(names = "--option", paramLabel = "KEY=VALUE", description = "An option of the communicator; repeatable.")
    private Map<String, String> options = Map.of();

    @Option(names = "--json", description = "Print one JSON line per operation and size instead of a table.")
    private boolean json;

    @Override
    public Integer call() {
        Console console = ((BenchCommand) spec.parent().userObject()).console();
        OptionalInt launched = ranks.launch(spec, console, System.getenv());
        if (launched.isPresent()) {
            return launched.getAsInt();
        }
        CommSetup setup = new CommSetup(
                operations,
                bytes,
                communication.dtype(),
                warmUp,
                repeats,
                seconds,
                communication.communicator(),
                typed());
        Rendezvous rendezvous = Rendezvous.fromEnvironment(System.getenv());
        if (!json && rendezvous.rank() == 0) {
            line(console, CommResult.heading());
        }
        CommBenchmark.run(setup, rendezvous, result -> line(console, json ? result.json() : result.row()));
        return ExitCode.OK;
    }

    /** Options are typed where they come from a configuration; here they are texts. */
    private Map<String, Object> typed() {
        Map<String, Object> typed = new LinkedHashMap<>();
        options.forEach((name, value) -> typed.put(name, typed(value)));
        return typed;
    }

    private static Object typed(String value) {
        if (value.equals("true") || value.equals("false")) {
            return Boolean.valueOf(value);
        }
        try {
            return Double.valueOf(value);
        } catch (NumberFormatException e) {
            return value;
        }
    }

    private static void line(Console console, String text) {
        console.out().println(text);
        console.out().flush();
    }
}
