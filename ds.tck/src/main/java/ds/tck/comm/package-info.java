/**
 * Groups of ranks under test: {@link ds.tck.comm.CommunicatorContract} is what any provider of a communicator must satisfy,
 * {@link ds.tck.comm.InProcessCommunicators} a group whose ranks are threads of this JVM, for fast tests of what runs on one.
 */
package ds.tck.comm;
