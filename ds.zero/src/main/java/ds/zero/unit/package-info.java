/**
 * Units, the layers' parameters laid flat and cut into shards: {@link ds.zero.unit.UnitLayout} and what is built on it is arithmetic,
 * {@link ds.zero.unit.UnitBuffers} lends memory for a unit, {@link ds.zero.unit.InFlight} keeps what travels of them.
 */
package ds.zero.unit;
