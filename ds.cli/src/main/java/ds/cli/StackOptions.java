package ds.cli;

import ds.api.DType;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What a command is told that trains without a configuration file: stage, type, and the providers. */
final class StackOptions {
    @Mixin
    private CommunicationOptions communication = new CommunicationOptions();

    @Option(
            names = "--stage",
            paramLabel = "S",
            defaultValue = "0",
            description = "ZeRO stage; default ${DEFAULT-VALUE}.")
    private int stage;

    @Option(
            names = "--backend",
            paramLabel = "NAME",
            defaultValue = "cpu",
            description = "Tensor backend; default ${DEFAULT-VALUE}.")
    private String backend;

    int stage() {
        return stage;
    }

    DType dtype() {
        return communication.dtype();
    }

    String backend() {
        return backend;
    }

    String communicator() {
        return communication.communicator();
    }
}
