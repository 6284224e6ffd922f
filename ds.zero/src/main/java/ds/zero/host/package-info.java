/**
 * Between a device and the host: {@link ds.zero.host.StagedCommunicator} brings tensors to a communicator that does not reach
 * their memory, {@code Transfers} gradients to the backend that updates and new weights away from it, {@link
 * ds.zero.host.HostShards} weights that are kept in host memory to the device that needs them.
 */
package ds.zero.host;
