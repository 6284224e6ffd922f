package ds.zero.weight;

import ds.zero.config.Stage3;
import ds.zero.config.ZeroPlusPlus;
import ds.zero.quantized.QuantizedGather;
import ds.zero.quantized.SecondaryShards;
import ds.zero.run.Stack;
import ds.zero.unit.InFlight;
import ds.zero.unit.UnitGather;
import ds.zero.unit.Units;

/**
 * How units are gathered, and how many may be at once.
 *
 * @param exchange owned
 */
record Gathering(UnitGather exchange, Stage3 limits) {
    /** {@return what a configuration asks for} */
    static Gathering of(ZeroPlusPlus plusPlus, Stage3 limits, Units units, Stack stack, InFlight inFlight) {
        if (stack.communicator().worldSize() == 1) {
            return new Gathering(new DirectGather(units, stack, inFlight), limits);
        }
        UnitGather fromAll = plusPlus.quantizedWeights()
                ? new QuantizedGather(units, stack, plusPlus.ranksPerHost(), inFlight)
                : new DirectGather(units, stack, inFlight);
        UnitGather exchange = plusPlus.partitionSize() > 1
                ? new SecondaryShards(fromAll, units, stack, plusPlus.partitionSize(), inFlight)
                : fromAll;
        return new Gathering(exchange, limits);
    }
}
