package ds.cli;

import ds.api.DType;
import picocli.CommandLine.Option;

/** What a command is told that trains without a configuration file: stage, type, and the providers. */
final class StackOptions {
    @Option(
            names = "--stage",
            paramLabel = "S",
            defaultValue = "0",
            description = "ZeRO stage; default ${DEFAULT-VALUE}.")
    private int stage;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            defaultValue = "fp32",
            converter = PrecisionConverter.class,
            description = "fp32, bf16 or fp16; default ${DEFAULT-VALUE}.")
    private DType dtype;

    @Option(
            names = "--backend",
            paramLabel = "NAME",
            defaultValue = "cpu",
            description = "Tensor backend; default ${DEFAULT-VALUE}.")
    private String backend;

    @Option(
            names = "--communicator",
            paramLabel = "NAME",
            defaultValue = "tcp",
            description = "Communicator; default ${DEFAULT-VALUE}.")
    private String communicator;

    int stage() {
        return stage;
    }

    DType dtype() {
        return dtype;
    }

    String backend() {
        return backend;
    }

    String communicator() {
        return communicator;
    }
}
