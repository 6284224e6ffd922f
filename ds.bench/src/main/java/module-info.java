/** Benchmarks of the whole: what a training step costs on this machine. Peers are run by the scripts beside the sources. */
module ds.bench {
    requires transitive ds.api;
    requires ds.models.gpt;
    requires ds.zero;
    requires tools.jackson.databind;

    exports ds.bench;
}
