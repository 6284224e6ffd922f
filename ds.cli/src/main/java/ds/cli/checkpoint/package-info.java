/** Checkpoints seen from outside of a run: what is there, whether it is intact, and the same tensors in other forms. */
package ds.cli.checkpoint;
