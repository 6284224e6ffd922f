/**
 * Tests of the whole, and nothing else: the module graph, and the {@code ds} command as real processes. The one module that
 * requires all others.
 */
module it {
    requires ds.api;
    requires ds.backend.cpu;
    requires ds.bench;
    requires ds.cli;
    requires ds.comm.tcp;
    requires ds.data;
    requires ds.models.gpt;
    requires ds.safetensors;
    requires ds.tck;
    requires ds.zero;
    requires org.junit.jupiter.api;
    requires org.junit.jupiter.params;
    requires tools.jackson.databind;
}
