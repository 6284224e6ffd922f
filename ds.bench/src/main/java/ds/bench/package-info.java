/** What a training step costs: time, floating-point rate, memory, elements sent, bytes read from and written to files. */
package ds.bench;
