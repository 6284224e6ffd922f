/**
 * The algorithms: what moves where, and what is combined. Read in this order: {@link ds.comm.tcp.collective.Collectives} (which one
 * is taken when), {@link ds.comm.tcp.collective.Exchange} (straight from each to each), {@link ds.comm.tcp.collective.SmallReduction}
 * and {@link ds.comm.tcp.collective.Reduction}, {@link ds.comm.tcp.collective.RingAllGather},
 * {@link ds.comm.tcp.collective.Broadcast}, and last {@link ds.comm.tcp.collective.HierarchicalReduction} and
 * {@link ds.comm.tcp.collective.HierarchicalGather}, which are composed of others.
 */
package ds.comm.tcp.collective;
