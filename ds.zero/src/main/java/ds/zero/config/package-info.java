/**
 * What a training run is configured to do: {@link ds.zero.config.ZeroConfig}, read from DeepSpeed's JSON keys and this
 * project's own block {@code "ds"}. Immutable records without nulls, checked when they are built. Which DeepSpeed keys are
 * supported, without effect or not supported stands in {@code deepspeed-keys.txt} beside this package's classes.
 */
package ds.zero.config;
