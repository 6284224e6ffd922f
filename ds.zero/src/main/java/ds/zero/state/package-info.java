/** Master weights and optimizer states of what a rank owns: {@link ds.zero.state.UpdatedStates}, in memory, in files, or divided. */
package ds.zero.state;
