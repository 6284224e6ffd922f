/**
 * How much memory a run will take, before it takes any: {@link ds.zero.plan.ModelStates} by the formulas of the ZeRO paper, and
 * {@link ds.zero.plan.MemoryPlan} by a dry run of the engine itself, on a backend without memory and a communicator without
 * ranks. {@link ds.zero.plan.Alternatives} looks for settings that take less, {@link ds.zero.plan.FewestRanks} for ranks that are
 * enough.
 */
package ds.zero.plan;
