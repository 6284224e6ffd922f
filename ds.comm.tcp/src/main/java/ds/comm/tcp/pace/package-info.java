/**
 * How fast streams that meet at a rank are to come: asked for by who receives them ({@link ds.comm.tcp.pace.LinkRate}), kept by the
 * system of who sends ({@link ds.comm.tcp.wire.NativeSocket#keepTo}).
 */
package ds.comm.tcp.pace;
