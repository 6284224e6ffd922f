package ds.zero.state;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.Optimizer;
import ds.zero.unit.Share;
import ds.zero.unit.Units;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * The first elements of units are kept and updated in one place, the others in another: {@code offload_optimizer.ratio}. The
 * device has its part to do before the host begins, so that both work at once.
 */
final class DividedStates implements UpdatedStates {
    private final UpdatedStates away;
    private final UpdatedStates here;
    private final Share awayShare;
    private final Units units;
    private final TensorBackend host;
    private Optional<Buffer> fetched = Optional.empty();

    /**
     * Owns both.
     *
     * @param away what is offloaded
     * @param here the rest
     * @param host for masters that are put together; borrowed
     */
    DividedStates(UpdatedStates away, Share awayShare, UpdatedStates here, Units units, TensorBackend host) {
        this.away = away;
        this.awayShare = awayShare;
        this.here = here;
        this.units = units;
        this.host = host;
    }

    @Override
    public TensorBackend backend() {
        return host;
    }

    @Override
    public List<String> stateNames() {
        return away.stateNames();
    }

    @Override
    public void prepare(Optimizer.Step step) {
        here.prepare(step);
        away.prepare(step);
    }

    @Override
    public void update(int unit, Optimizer.Step step) {
        here.update(unit, step);
        away.update(unit, step);
    }

    @Override
    public void awaitUpdates() {
        here.awaitUpdates();
        away.awaitUpdates();
    }

    @Override
    public void publish(int unit) {
        here.publish(unit);
        away.publish(unit);
    }

    @Override
    public Tensor master(int unit) {
        forget();
        long elements = units.owned(unit).elements();
        Buffer buffer = host.allocateHost(elements * Float.BYTES, "temporary");
        fetched = Optional.of(buffer);
        read(MASTER, unit, 0, buffer.host());
        return new Tensor(buffer, DType.F32, Shape.of(elements));
    }

    @Override
    public void forget() {
        fetched.ifPresent(Buffer::close);
        fetched = Optional.empty();
    }

    @Override
    public void read(int state, int unit, long first, MemorySegment target) {
        visit(unit, first, target, (part, from, bytes) -> part.read(state, unit, from, bytes));
    }

    @Override
    public void write(int state, int unit, long first, MemorySegment source) {
        visit(unit, first, source, (part, from, bytes) -> part.write(state, unit, from, bytes));
    }

    /** What is done with consecutive elements of one place. */
    private interface Visitor {
        void visit(UpdatedStates part, long first, MemorySegment bytes);
    }

    private void visit(int unit, long first, MemorySegment bytes, Visitor visitor) {
        long cut = Math.clamp(awayShare.of(unit).elements() - first, 0, bytes.byteSize() / Float.BYTES);
        if (cut > 0) {
            visitor.visit(away, first, bytes.asSlice(0, cut * Float.BYTES));
        }
        if (cut * Float.BYTES < bytes.byteSize()) {
            visitor.visit(here, first + cut, bytes.asSlice(cut * Float.BYTES));
        }
    }

    @Override
    public void close() {
        forget();
        away.close();
        here.close();
    }
}
