/** Inputs that nobody has thought of. */
package ds.comm.tcp.fuzz;
