/** What a run is composed of, {@link ds.zero.run.Stack}, and what it tells: of a step, and of files. */
package ds.zero.run;
