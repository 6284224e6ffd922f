/** Repeats a short training run that PyTorch did, and measures how far the two are apart: {@link ds.cli.check.ReferenceCheck}. */
package ds.cli.check;
