/** Ranks as processes of this host, and what ends them. */
package ds.cli.job;
