/** Text becomes tokens, memory-mapped token files, and per-rank batches that are a pure function of seed and step. */
module ds.data {
    requires ds.api;
    requires jtokkit;
    requires tools.jackson.core;

    exports ds.data;
}
