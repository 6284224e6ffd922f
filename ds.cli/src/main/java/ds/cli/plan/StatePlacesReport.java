package ds.cli.plan;

import ds.zero.config.ByteSize;
import ds.zero.config.Precision;
import ds.zero.config.StatePrecision;
import ds.zero.plan.RankMemory;
import ds.zero.plan.StatePlaces.Place;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.node.ArrayNode;

/** With which precision of states, and which part of them on the host, a run fits a device and its host. */
final class StatePlacesReport {
    private StatePlacesReport() {}

    static void print(List<Place> places, PrintWriter out) {
        if (places.isEmpty()) {
            out.println("states             no precision and no offload_optimizer.ratio fits both memories");
            return;
        }
        out.printf(
                Locale.ROOT,
                "%-18s %10s %10s %18s %12s %12s%n",
                "states that fit",
                "masters",
                "moments",
                "offloaded (ratio)",
                "device",
                "process");
        for (Place place : places) {
            out.printf(
                    Locale.ROOT,
                    "%-18s %10s %10s %18s %12s %12s%n",
                    "",
                    masters(place.states()),
                    Precision.nameOf(place.states().optimizerStates()),
                    place.ratio() == 0 ? "none" : String.format(Locale.ROOT, "%.2f", place.ratio()),
                    ByteSize.inBinary(place.deviceBytes()),
                    ByteSize.inBinary(RankMemory.needed(place.plan().peakBytes())));
        }
    }

    static void addTo(ArrayNode node, List<Place> places) {
        for (Place place : places) {
            node.addObject()
                    .put("master_weights", masters(place.states()))
                    .put("optimizer_states", Precision.nameOf(place.states().optimizerStates()))
                    .put("ratio", place.ratio())
                    .put("stage", place.config().zero().stage().number())
                    .put("device_peak_bytes", place.deviceBytes())
                    .put("process_bytes", RankMemory.needed(place.plan().peakBytes()));
        }
    }

    private static String masters(StatePrecision states) {
        return states.masterWeights().toString().toLowerCase(Locale.ROOT);
    }
}
