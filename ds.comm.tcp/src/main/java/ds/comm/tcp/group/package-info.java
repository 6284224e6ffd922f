/**
 * Who waits for whom. Read in this order: {@link ds.comm.tcp.group.Job} (what all groups share, and how it ends),
 * {@link ds.comm.tcp.group.Members} and {@link ds.comm.tcp.group.Group}, {@link ds.comm.tcp.group.Lane} (operations one after the
 * other), {@link ds.comm.tcp.group.Operation} (what every collective has in common), {@link ds.comm.tcp.group.Announcement} and
 * {@link ds.comm.tcp.group.EarlyBytes} (what comes before this rank has begun).
 */
package ds.comm.tcp.group;
