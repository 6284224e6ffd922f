package ds.cli;

import ds.api.DType;
import picocli.CommandLine.Option;

/** What ranks exchange without a configuration file, and by which provider. */
final class CommunicationOptions {
    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            defaultValue = "fp32",
            converter = PrecisionConverter.class,
            description = "fp32, bf16 or fp16; default ${DEFAULT-VALUE}.")
    private DType dtype;

    @Option(
            names = "--communicator",
            paramLabel = "NAME",
            defaultValue = "tcp",
            description = "Communicator; default ${DEFAULT-VALUE}.")
    private String communicator;

    DType dtype() {
        return dtype;
    }

    String communicator() {
        return communicator;
    }
}
