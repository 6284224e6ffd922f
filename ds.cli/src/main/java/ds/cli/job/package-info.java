/**
 * Ranks as processes: {@link ds.cli.job.JobPlan} says which there are, {@link ds.cli.job.LocalJob} runs those of this host, and
 * {@link ds.cli.job.LauncherWatch} ends a rank whose launcher is gone.
 */
package ds.cli.job;
