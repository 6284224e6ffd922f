/** Benchmarks of the whole: what a training step costs on this machine. Peers are run by the scripts beside the sources. */
module ds.bench {
    requires transitive ds.api;
    requires transitive ds.models.gpt;
    requires ds.zero;
    requires jdk.incubator.vector; // what the processors can do
    requires jdk.unsupported; // com.sun.nio.file: direct I/O
    requires tools.jackson.databind;

    exports ds.bench;
}
