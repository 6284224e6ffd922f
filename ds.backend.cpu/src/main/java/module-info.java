/**
 * Tensors in host memory: matrix products by oneDNN, everything else with the Vector API. Exports nothing: reached only as the
 * provider named "cpu".
 */
module ds.backend.cpu {
    requires ds.api;
    requires jdk.incubator.vector;
    requires java.management;
    requires jdk.management;
    requires org.bytedeco.dnnl;
    requires org.bytedeco.javacpp;
    requires org.bytedeco.opencl; // the dnnl preset inherits from OpenCL's and does not load without it

    // Nothing else requires the modules that hold the native libraries.
    requires org.bytedeco.dnnl.linux.x86_64;
    requires org.bytedeco.javacpp.linux.x86_64;
    requires org.bytedeco.opencl.linux.x86_64;

    provides ds.api.spi.TensorBackendProvider with
            ds.backend.cpu.CpuBackendProvider;
}
