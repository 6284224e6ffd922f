package ds.comm.tcp.mesh;

import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Job;
import ds.comm.tcp.group.TcpWork;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/** The groups of which this rank is a member, and those that it has left. On the thread of the {@link Mesh}. */
final class Groups {
    private record Departure(Group group, List<Group> parts, TcpWork work) {}

    private final Job job;
    private final Map<Long, Group> groups = new LinkedHashMap<>();
    private final Set<Long> departed = new HashSet<>();
    private final List<Departure> departures = new ArrayList<>();

    Groups(Job job) {
        this.job = job;
    }

    void add(Group group) {
        groups.put(group.id(), group);
    }

    /** {@return a group, or null if this rank is not a member of it, or is one no more} */
    Group get(long id) {
        return groups.get(id);
    }

    /** {@return whether this rank has left a group, as its BYE tells those who do not know yet} */
    boolean hasLeft(long id) {
        return departed.contains(id);
    }

    /** Does something with each; it may be that groups are added or left by it. */
    void forEach(Consumer<Group> action) {
        List.copyOf(groups.values()).forEach(action);
    }

    boolean idle() {
        for (Group group : groups.values()) {
            if (!group.idle()) {
                return false;
            }
        }
        return true;
    }

    /** {@return what is under way, for reports} */
    String during() {
        List<String> reports = new ArrayList<>();
        forEach(group -> group.forEachLane(lane -> {
            if (lane.current() != null) {
                reports.add(lane.current().report());
            }
        }));
        return reports.isEmpty() ? "while no operation was under way" : "during " + String.join(" and ", reports);
    }

    /** Leaves a group and the parts of it once its operations are done; completes {@code work} then. */
    void leave(Group group, List<Group> parts, TcpWork work) {
        departures.add(new Departure(group, parts, work));
    }

    /** Leaves what is to be left and has nothing to do any more. */
    void depart() {
        departures.removeIf(departure -> {
            boolean idle = departure.group().idle();
            if (idle) {
                remove(departure);
                departure.work().complete();
            }
            return idle;
        });
    }

    private void remove(Departure departure) {
        Group group = departure.group();
        if (groups.containsKey(group.id())) {
            for (int peer : group.peers()) {
                group.connection(peer).bye(group.id());
            }
            departure.parts().forEach(this::forget);
            forget(group);
        }
    }

    private void forget(Group group) {
        groups.remove(group.id());
        departed.add(group.id());
        job.forEachConnection(connection -> connection.forget(group.id()));
        group.release();
    }

    /** Ends all operations. */
    void fail(String cause) {
        forEach(group -> group.forEachLane(lane -> lane.fail(cause)));
        departures.forEach(departure -> departure.work().complete());
        departures.clear();
    }

    /** Frees the memory of all. */
    void release() {
        groups.values().forEach(Group::release);
    }
}
