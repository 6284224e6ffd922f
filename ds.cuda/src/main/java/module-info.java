/**
 * What the providers for NVIDIA GPUs share: the driver, called directly, and how CUDA's libraries are found. Loads nothing before it is
 * used.
 */
module ds.cuda {
    exports ds.cuda;
}
