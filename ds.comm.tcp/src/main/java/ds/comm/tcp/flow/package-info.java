/**
 * Operands on their way: {@link ds.comm.tcp.flow.Outflow} to one peer, {@link ds.comm.tcp.flow.Inflow} from one, out of and into
 * {@link ds.comm.tcp.flow.Parts} of memory.
 */
package ds.comm.tcp.flow;
