/** The safetensors file format, for models and checkpoints: memory-mapped reading, atomic writing, sharded models. */
module ds.safetensors {
    requires transitive ds.api;
    requires tools.jackson.core;

    exports ds.safetensors;
}
