/**
 * How fast streams that meet at a rank are to come: asked for by who receives them ({@link ds.comm.tcp.pace.LinkRate}), kept by
 * who sends ({@link ds.comm.tcp.pace.Pace}).
 */
package ds.comm.tcp.pace;
