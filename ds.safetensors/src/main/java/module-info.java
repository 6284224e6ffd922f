/** The safetensors file format, for models and checkpoints: memory-mapped reading, atomic writing, sharded models. */
module ds.safetensors {
    requires transitive ds.api;
    requires jdk.unsupported; // com.sun.nio.file: direct I/O
    requires tools.jackson.core;

    exports ds.safetensors;
}
