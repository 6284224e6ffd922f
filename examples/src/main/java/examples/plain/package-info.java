/** Training without ZeRO: one process, one loop, all of it on a page in {@link examples.plain.PlainTraining}. */
package examples.plain;
