/**
 * NVIDIA's driver: {@link ds.cuda.CudaDriver} says which devices there are, {@link ds.cuda.CudaDevice} is one of them, {@link
 * ds.cuda.EventPool} its events. The C prototype stands above every raw call, every status is checked in one place. {@link
 * ds.cuda.NativeLibrary} finds the driver, and the libraries of those who use it.
 */
package ds.cuda;
