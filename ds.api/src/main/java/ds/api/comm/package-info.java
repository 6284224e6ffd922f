/**
 * Groups of ranks and what they exchange: a {@link ds.api.comm.Communicator} starts a collective and returns
 * {@link ds.api.comm.Work} to wait on, so that it overlaps compute.
 */
package ds.api.comm;
