package ds.comm.tcp.mesh;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.DType;
import ds.api.comm.Call;
import ds.api.comm.ReduceOp;
import ds.comm.tcp.collective.Collectives;
import ds.comm.tcp.connection.FrameReader;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.OperationKind;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Job;
import ds.comm.tcp.group.Operation;
import ds.comm.tcp.meet.Link;
import ds.comm.tcp.pace.CongestionControl;
import ds.comm.tcp.share.Neighbourhood;
import ds.comm.tcp.wire.FrameChannel;
import ds.comm.tcp.wire.PlainWire;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Rank 0 of two, in the middle of an allReduce, without a thread: it hears what a test gives it. */
final class BusyRank implements AutoCloseable {
    static final String LABEL = "gradients";
    static final int ELEMENTS = 50_000;
    private static final int BAND_BYTES = 64;
    private static final byte BAND = 77;

    /** What became of the bytes. */
    enum Outcome {
        /** They are no frames. */
        BAD_FRAME,
        /** They are, and the job has to end. */
        FAILED,
        /** They are, and the operation goes on. */
        GOES_ON,
        /** They are all that was missing. */
        COMPLETE
    }

    private final Arena arena = Arena.ofConfined();
    private final MemorySegment banded = arena.allocate(ELEMENTS * Float.BYTES + 2 * BAND_BYTES, 64);
    private final Path path;
    private final ServerSocketChannel server;
    private SocketChannel other;
    private final Memory input = new Memory();
    private Mesh mesh;
    private Job job;
    private Group group;
    private Dispatcher dispatcher;
    private Operation operation;

    /** Bytes in memory as a channel. */
    private static final class Memory implements FrameChannel {
        private ByteBuffer bytes = ByteBuffer.allocate(0);

        @Override
        public int read(ByteBuffer target) {
            int n = Math.min(bytes.remaining(), target.remaining());
            target.put(bytes.slice(bytes.position(), n));
            bytes.position(bytes.position() + n);
            return n;
        }

        @Override
        public boolean holdsInput() {
            return bytes.hasRemaining();
        }

        @Override
        public int write(ByteBuffer source) {
            throw new UnsupportedOperationException();
        }

        @Override
        public long write(ByteBuffer[] sources) {
            throw new UnsupportedOperationException();
        }

        @Override
        public long write(ByteBuffer[] sources, int offset, int length) {
            throw new UnsupportedOperationException();
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }

    BusyRank() throws IOException {
        banded.fill(BAND);
        path = Files.createTempDirectory("ds-busy").resolve("socket");
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path));
        start();
    }

    private void start() throws IOException {
        SocketChannel socket = SocketChannel.open(server.getLocalAddress()); // of no other use than to be there
        other = server.accept();
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), 1);
        Link link = new Link(1, address, 0, new PlainWire(socket));
        Mesh.Options options = new Mesh.Options(
                Duration.ofMinutes(1), 2 * Header.PIECE_BYTES, new CongestionControl(CongestionControl.OF_THE_SYSTEM));
        mesh = new Mesh(0, List.of(link), new Neighbourhood(List.of(0, 1), Map.of()), options);
        job = mesh.job();
        group = new Group(job, 0, new int[] {0, 1}, Optional.empty());
        Groups groups = new Groups(job);
        groups.add(group);
        dispatcher = new Dispatcher(job, groups);
        MemorySegment data = banded.asSlice(BAND_BYTES, ELEMENTS * Float.BYTES);
        Descriptor descriptor = new Descriptor(OperationKind.ALL_REDUCE, ReduceOp.SUM, DType.F32, 0, ELEMENTS, LABEL);
        operation = new Collectives(group).reduce(descriptor, Call.now(descriptor.label()), data, data);
        operation.setReady();
        group.lane(OperationKind.ALL_REDUCE, 1).enqueue(operation);
    }

    /** Hears bytes as the first ones of the peer in this operation. */
    Outcome hear(byte[] bytes) throws IOException {
        input.bytes = ByteBuffer.wrap(bytes);
        FrameReader reader = new FrameReader(input);
        Outcome outcome;
        try {
            while (input.bytes.hasRemaining() && job.state() == Job.State.RUNNING) {
                reader.read(dispatcher, job.connection(1));
            }
            outcome = job.state() == Job.State.FAILED ? Outcome.FAILED : Outcome.GOES_ON;
        } catch (Header.BadFrame e) {
            outcome = Outcome.BAD_FRAME;
        }
        if (outcome == Outcome.GOES_ON && !operation.awaits(1)) {
            outcome = Outcome.COMPLETE;
        }
        checkBands();
        if (anyFrame(bytes)) {
            restart();
        }
        return outcome;
    }

    private static boolean anyFrame(byte[] bytes) {
        try {
            return bytes.length >= Header.BYTES && Header.read(ByteBuffer.wrap(bytes)) != null;
        } catch (Header.BadFrame e) {
            return false;
        }
    }

    private void checkBands() {
        for (int i = 0; i < BAND_BYTES; i++) {
            assertEquals(BAND, banded.get(ValueLayout.JAVA_BYTE, i), "before the operand");
            assertEquals(BAND, banded.get(ValueLayout.JAVA_BYTE, banded.byteSize() - 1 - i), "after the operand");
        }
    }

    private void restart() throws IOException {
        stop();
        start();
    }

    private void stop() throws IOException {
        mesh.release(); // it never had a thread that would
        group.release();
        other.close();
    }

    @Override
    public void close() {
        try {
            stop();
            server.close();
            Files.delete(path);
            Files.delete(path.getParent());
            arena.close();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
