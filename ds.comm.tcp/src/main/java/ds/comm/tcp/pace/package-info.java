/**
 * How streams that meet at a rank share its link: asked for by who receives them ({@link ds.comm.tcp.pace.LinkRate}), kept by the
 * system of who sends ({@link ds.comm.tcp.wire.NativeSocket#keepTo}) in the way that was chosen ({@link
 * ds.comm.tcp.pace.CongestionControl}).
 */
package ds.comm.tcp.pace;
