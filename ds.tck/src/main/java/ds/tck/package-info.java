/**
 * What any provider of a backend or a communicator must satisfy, as JUnit classes to extend; and what a layer must satisfy,
 * as a gradient check.
 */
package ds.tck;
