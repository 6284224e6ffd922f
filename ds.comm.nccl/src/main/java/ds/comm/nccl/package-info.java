/**
 * Groups of GPUs. Read in this order: {@link ds.comm.nccl.NcclCommunicatorProvider} (what is there), {@link ds.comm.nccl.Meeting} (how
 * ranks find each other, and how they learn that one has failed), {@link ds.comm.nccl.NcclCommunicator} (the operations), {@link
 * ds.comm.nccl.Watchdog} (what is late).
 */
package ds.comm.nccl;
