/** The same on ZeRO, on any number of ranks: {@link examples.zero.ZeroTraining}. */
package examples.zero;
