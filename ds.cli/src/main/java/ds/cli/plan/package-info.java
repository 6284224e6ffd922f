/**
 * What {@code ds plan} shows: {@link ds.cli.plan.RunReport} of a configured run, {@link ds.cli.plan.StatesReport} of a number of
 * parameters; each as a table for people and as JSON.
 */
package ds.cli.plan;
