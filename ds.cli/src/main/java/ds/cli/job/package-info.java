/**
 * Ranks as processes: {@link ds.cli.job.JobPlan} says which, {@link ds.cli.job.LocalJob} runs this host's,
 * {@link ds.cli.job.LauncherWatch} ends a rank whose launcher is gone.
 */
package ds.cli.job;
