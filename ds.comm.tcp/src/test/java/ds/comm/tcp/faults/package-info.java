/** Jobs of real processes to which something happens: each ends in time and says what was the matter, or goes on. */
package ds.comm.tcp.faults;
