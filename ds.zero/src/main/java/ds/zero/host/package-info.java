/**
 * Between a device and the host: {@link ds.zero.host.StagedCommunicator} brings tensors to a communicator that does not reach
 * their memory, {@link ds.zero.host.HostTransfers} gradients to an update on the host and new weights back, {@link
 * ds.zero.host.HostShards} weights that are kept in host memory to the device that needs them.
 */
package ds.zero.host;
