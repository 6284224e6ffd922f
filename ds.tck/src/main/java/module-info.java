/**
 * The technology compatibility kit: contract suites that a provider's own tests extend, the gradient check, reference kernels
 * to compare with, and a group of ranks as threads of one JVM.
 */
module ds.tck {
    requires transitive ds.api;
    requires transitive org.junit.jupiter.api;
    requires transitive org.junit.jupiter.params;

    exports ds.tck;
    exports ds.tck.comm;
}
