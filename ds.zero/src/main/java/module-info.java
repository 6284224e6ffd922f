/**
 * The ZeRO core: {@link ds.zero.ZeroEngine} trains. Its configuration is {@link ds.zero.config}: DeepSpeed's JSON keys, checked
 * strictly and resolved; {@link ds.zero.config.json} is the machinery behind it, with which an application reads its own blocks
 * of the same file. {@link ds.zero.run} is what a run is composed of and what it tells. {@link ds.zero.plan} says beforehand what
 * memory it takes; {@link ds.zero.checkpoint} keeps its state in files.
 */
module ds.zero {
    requires transitive ds.api;
    requires ds.safetensors;
    requires jdk.jfr;
    requires jdk.unsupported; // com.sun.nio.file: direct I/O
    requires tools.jackson.databind;

    exports ds.zero;
    exports ds.zero.checkpoint;
    exports ds.zero.config;
    exports ds.zero.config.json;
    exports ds.zero.plan;
    exports ds.zero.run;
}
