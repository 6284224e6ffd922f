package ds.comm.tcp.share;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.comm.tcp.meet.Link;
import ds.comm.tcp.wire.PlainWire;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class NeighboursTest {
    private static final Executor THREADS = task -> Thread.ofPlatform().daemon().start(task);

    private static final Path FOLDER = Path.of("/dev/shm");

    private Set<Path> before;
    private SocketChannel low;
    private SocketChannel high;

    @BeforeEach
    void connect() throws IOException {
        assumeFalse(Neighbours.thisHost().isEmpty(), "no memory file system here");
        long room = Files.getFileStore(FOLDER).getUsableSpace();
        assumeTrue(room >= 1 << 22, "no room for a pair of rings in " + FOLDER);
        before = files();
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            low = SocketChannel.open(server.getLocalAddress());
            high = server.accept();
        }
    }

    @AfterEach
    void nothingIsLeft() throws Exception {
        if (low == null) {
            return; // where there is no memory to share, nothing has begun
        }
        low.close();
        high.close();
        assertNothingMore();
    }

    /** What another job of this machine has made while ranks of it meet, goes; what a killed rank has left was there before. */
    private void assertNothingMore() throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (!before.containsAll(files()) && System.nanoTime() - deadline < 0) {
            Thread.sleep(1);
        }
        Set<Path> more = files();
        more.removeAll(before);
        assertEquals(Set.of(), more);
    }

    private static Set<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(FOLDER)) {
            return files.filter(file -> file.getFileName().toString().startsWith("ds-comm-"))
                    .collect(Collectors.toSet());
        }
    }

    private static Neighbourhood meet(int rank, SocketChannel channel, String where) {
        try {
            return new Neighbours(rank, 2, Duration.ofSeconds(5)).meet(List.of(link(1 - rank, channel)), where);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void ranksOfOneHostShareMemory() throws Exception {
        var other = CompletableFuture.supplyAsync(() -> meet(1, high, "here"), THREADS);
        Neighbourhood mine = meet(0, low, "here");
        Neighbourhood theirs = other.get();
        assertEquals(List.of(0, 0), mine.hosts());
        assertEquals(List.of(0, 0), theirs.hosts());
        low.configureBlocking(false);
        high.configureBlocking(false);
        SharedChannel there = mine.channels().get(1);
        SharedChannel here = theirs.channels().get(0);
        there.write(ByteBuffer.wrap(new byte[] {1, 2, 3}));
        ByteBuffer received = ByteBuffer.allocate(4);
        assertEquals(3, here.read(received));
        assertEquals(0, here.read(received), "nothing more, and not the end");
        low.close();
        int end;
        do { // as soon as the system has passed it on
            here.awake();
            end = here.read(received);
        } while (end == 0);
        assertEquals(-1, end, "the process at the other end is gone");
        mine.close();
        theirs.close();
    }

    @Test
    void ranksOfDifferentHostsDoNot() throws Exception {
        var other = CompletableFuture.supplyAsync(() -> meet(1, high, "there"), THREADS);
        Neighbourhood mine = meet(0, low, "here");
        assertEquals(List.of(0, 1), mine.hosts());
        assertTrue(mine.channels().isEmpty() && other.get().channels().isEmpty());
    }

    @Test
    void whoSaysNothingIsAlone() throws Exception {
        var other = CompletableFuture.supplyAsync(() -> meet(1, high, ""), THREADS);
        assertEquals(List.of(0, 1), meet(0, low, "").hosts());
        assertTrue(other.get().channels().isEmpty());
    }

    /** Another machine could have the same name; what it maps is not what this rank has made. */
    @Test
    void whoCannotTellWhatStandsInTheFileStaysWithTheSocket() throws Exception {
        var mine = CompletableFuture.supplyAsync(() -> meet(0, low, "here"), THREADS);
        high.write(
                ByteBuffer.wrap(MessageDigest.getInstance("SHA-256").digest("here".getBytes(StandardCharsets.UTF_8))));
        byte[] said = high.socket().getInputStream().readNBytes(32 + 24);
        Path offer = FOLDER.resolve("ds-comm-" + HexFormat.of().formatHex(said, 32, 32 + 16));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(offer)));
        high.write(ByteBuffer.wrap(new byte[32]));
        assertEquals(0, high.socket().getInputStream().read(), "not accepted");
        assertTrue(mine.get().channels().isEmpty());
    }

    @Test
    void whoIsKilledWhileRanksMeetIsNamed() throws Exception {
        high.setOption(StandardSocketOptions.SO_LINGER, 0); // a reset
        high.close();
        AssertionError e = assertThrows(AssertionError.class, () -> meet(0, low, "here"));
        assertTrue(e.getCause().getMessage().contains("rank 1 ("), e.getCause().toString());
    }

    /** Rank 1 is dead; rank 0 finds that out first, and closes its links, for which rank 2 must not take it for the dead one. */
    @Test
    void allOthersNameWhoIsKilledWhileRanksMeet() throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            SocketChannel zeroToOne = SocketChannel.open(server.getLocalAddress());
            server.accept().setOption(StandardSocketOptions.SO_LINGER, 0).close();
            SocketChannel twoToOne = SocketChannel.open(server.getLocalAddress());
            SocketChannel oneToTwo = server.accept();
            var zero = CompletableFuture.supplyAsync(
                    () -> messageOfMeeting(0, List.of(link(1, zeroToOne), link(2, low))), THREADS);
            var two = CompletableFuture.supplyAsync(
                    () -> messageOfMeeting(2, List.of(link(0, high), link(1, twoToOne))), THREADS);
            assertTrue(zero.get().contains("rank 1 ("), zero.get());
            oneToTwo.setOption(StandardSocketOptions.SO_LINGER, 0).close(); // of which rank 2 hears later
            assertTrue(two.get().contains("rank 1 ("), two.get());
        }
    }

    private static Link link(int rank, SocketChannel channel) {
        try {
            return new Link(rank, (InetSocketAddress) channel.getRemoteAddress(), 0, new PlainWire(channel));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String messageOfMeeting(int rank, List<Link> links) {
        IOException e = assertThrows(
                IOException.class, () -> new Neighbours(rank, 3, Duration.ofSeconds(5)).meet(links, "here"));
        links.forEach(Link::close);
        return e.getMessage();
    }

    @Test
    void anOfferOfNoFileIsDeclined() throws Exception {
        var mine = CompletableFuture.supplyAsync(() -> meet(1, high, "here"), THREADS);
        low.write(
                ByteBuffer.wrap(MessageDigest.getInstance("SHA-256").digest("here".getBytes(StandardCharsets.UTF_8))));
        low.write(ByteBuffer.allocate(24).putLong(16, 1 << 20));
        assertEquals(64, low.socket().getInputStream().readNBytes(64).length);
        low.write(ByteBuffer.wrap(new byte[] {1}));
        assertTrue(mine.get().channels().isEmpty());
    }
}
