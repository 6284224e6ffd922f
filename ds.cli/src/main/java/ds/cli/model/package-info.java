/**
 * Trained models in use: {@link ds.cli.model.LoadedModel} has weights on a device, {@link ds.cli.model.TextGeneration} writes
 * with it, {@link ds.cli.model.HostParameters} carries weights from file to file.
 */
package ds.cli.model;
