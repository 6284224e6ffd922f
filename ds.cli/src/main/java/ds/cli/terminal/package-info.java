/** Where a command writes: {@link ds.cli.terminal.Console}, and {@link ds.cli.terminal.Progress} of what takes long. */
package ds.cli.terminal;
