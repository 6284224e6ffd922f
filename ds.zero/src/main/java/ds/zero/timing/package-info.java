/** Where the time of a step goes: counted for its result, and as events of the Flight Recorder. */
package ds.zero.timing;
