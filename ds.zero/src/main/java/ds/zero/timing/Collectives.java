package ds.zero.timing;

import ds.api.Stream;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Work;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalLong;

/** What this rank has asked its communicator for, until it is done and counted. On the thread that trains. */
final class Collectives {
    private final List<Asked> underWay = new ArrayList<>();
    private boolean timed = true;

    /** One of them, as its caller sees it. */
    static final class Asked implements Work {
        private final Work work;
        private final Call call;
        private final String operation;
        private final long bytes;
        private final long askedNanos = System.nanoTime();
        private boolean awaited;

        private Asked(Work work, Call call, String operation, long bytes) {
            this.work = work;
            this.call = call;
            this.operation = operation;
            this.bytes = bytes;
        }

        /** {@return what it is, for timelines} */
        String name() {
            return operation + " " + call.label();
        }

        @Override
        public void await() {
            work.await();
            awaited = true;
        }

        @Override
        public void await(Stream stream) {
            work.await(stream);
            awaited = true;
        }

        @Override
        public OptionalLong startedNanos() {
            return work.startedNanos();
        }

        @Override
        public OptionalLong doneNanos() {
            return work.doneNanos();
        }
    }

    /** Takes note of one. */
    Work ask(Work work, Call call, String operation, Tensor whole) {
        Asked asked = new Asked(work, call, operation, whole.byteSize());
        underWay.add(asked);
        return asked;
    }

    /** {@return whether the communicator says when bytes moved; where it does not, every wait counts as communication} */
    boolean timed() {
        return timed;
    }

    /** {@return when bytes moved between two points of time; what is done is forgotten, and told to the timeline} */
    Intervals moving(long start, long end, Timeline timeline) {
        List<long[]> stretches = new ArrayList<>();
        underWay.removeIf(asked -> {
            OptionalLong began = asked.startedNanos();
            OptionalLong done = asked.doneNanos();
            began.ifPresent(nanos ->
                    stretches.add(new long[] {Math.max(nanos, start), Math.min(done.orElse(end), end)}));
            timed &= !asked.awaited || done.isPresent();
            if (began.isPresent() && done.isPresent()) {
                timeline.collective(asked.name(), asked.askedNanos, began.getAsLong(), done.getAsLong(), asked.bytes);
            }
            return done.isPresent() || asked.awaited;
        });
        stretches.sort(Comparator.comparingLong(stretch -> stretch[0] - start));
        Intervals union = new Intervals();
        stretches.forEach(stretch -> union.add(stretch[0], stretch[1]));
        return union;
    }
}
