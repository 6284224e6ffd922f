/**
 * The one thread of a rank that moves all bytes. Read in this order: {@link ds.comm.tcp.mesh.Mesh} (a turn of it, and when it
 * sleeps), {@link ds.comm.tcp.mesh.Commands} (how other threads reach it), {@link ds.comm.tcp.mesh.Dispatcher} (whom a frame
 * concerns), {@link ds.comm.tcp.mesh.Groups} (which there are), {@link ds.comm.tcp.mesh.Deadlines} (when nothing moves any more).
 */
package ds.comm.tcp.mesh;
