/** What a training step costs: time, floating-point rate, memory, elements sent. */
package ds.bench;
