package ds.cli;

import ds.bench.OptimizerBenchmark;
import ds.bench.OptimizerSetup;
import ds.cli.terminal.Console;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The optimizer on the host. */
@Command(
        name = "optimizer",
        header = "Update a shard in host memory, beside the raw memory.",
        description =
                "Updates F32 masters and moments by AdamW and rounds the weights to BF16, as an offloaded update does, and"
                        + " beside it copies and adds as fast as memory can. Prints one JSON line.",
        footer = {"", "Examples:", "  ds bench optimizer", "  ds bench optimizer --elements 1000000000 --repeats 5"})
final class BenchOptimizerCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(
            names = "--elements",
            paramLabel = "N",
            defaultValue = "124439808",
            description = "Of the shard; default ${DEFAULT-VALUE}, GPT-2 124M.")
    private long elements;

    @Option(
            names = "--tile",
            paramLabel = "N",
            defaultValue = "1048576",
            description = "Elements updated at once; default ${DEFAULT-VALUE}, as the engine does.")
    private long tile;

    @Option(names = "--repeats", paramLabel = "N", defaultValue = "9", description = "Default ${DEFAULT-VALUE}.")
    private int repeats;

    @Option(names = "--backend", paramLabel = "NAME", defaultValue = "cpu", description = "Default ${DEFAULT-VALUE}.")
    private String backend;

    @SuppressWarnings("UnusedVariable") // accepted for clarity: there is no other format
    @Option(names = "--json", description = "Print one JSON line; the only format there is.")
    private boolean json;

    @Override
    public Integer call() {
        Console console = ((BenchCommand) spec.parent().userObject()).console();
        console.out().println(OptimizerBenchmark.run(new OptimizerSetup(elements, tile, repeats, backend)));
        return ExitCode.OK;
    }
}
