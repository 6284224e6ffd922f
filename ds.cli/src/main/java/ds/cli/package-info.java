/**
 * The commands, one class each, listed in {@link ds.cli.DsCommand}; {@link ds.cli.Main} runs the one that is named. Exit codes:
 * 0 done, 1 failed, 2 used wrongly.
 */
package ds.cli;
