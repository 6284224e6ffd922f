package ds.backend.cuda.product;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.backend.cuda.driver.CublasLt.Algorithm;
import ds.cuda.CudaDriver;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is kept of algorithms, without a device. */
class AlgorithmFileTest {
    private static final List<Algorithm> CANDIDATES = Stream.of("0a", "1b", "2c")
            .map(digits -> new Algorithm(digits.repeat(64)))
            .toList();

    @TempDir
    private Path folder;

    private static CudaDriver.Properties device(String name) {
        return new CudaDriver.Properties(0, name, 1L << 34, 9, 0, 132);
    }

    private static int never() {
        throw new AssertionError("measured although it is kept");
    }

    private AlgorithmFile open() {
        return new AlgorithmFile(folder, device("NVIDIA H200"), 130000);
    }

    @Test
    void whatIsMeasuredOnceIsFoundByTheNextRun() {
        assertEquals(CANDIDATES.get(2), open().findOrKeep("x", CANDIDATES, () -> 2));
        assertEquals(CANDIDATES.get(1), open().findOrKeep("y", CANDIDATES, () -> 1));
        assertEquals(CANDIDATES.get(2), open().findOrKeep("x", CANDIDATES, AlgorithmFileTest::never));
        assertEquals(CANDIDATES.get(1), open().find("y", CANDIDATES).orElseThrow());
        assertTrue(open().find("z", CANDIDATES).isEmpty());
    }

    @Test
    void anAlgorithmThatIsNoCandidateAnyMoreIsMeasuredAgain() {
        open().findOrKeep("x", CANDIDATES, () -> 2);
        List<Algorithm> fewer = CANDIDATES.subList(0, 2);
        assertTrue(open().find("x", fewer).isEmpty());
        assertEquals(CANDIDATES.get(1), open().findOrKeep("x", fewer, () -> 1));
        assertEquals(CANDIDATES.get(1), open().findOrKeep("x", CANDIDATES, AlgorithmFileTest::never));
    }

    @Test
    void anotherDeviceOrVersionHasAnotherFile() {
        Path one = open().file();
        assertEquals(
                "products-NVIDIA_H200-sm_90-cublaslt130000.txt",
                one.getFileName().toString());
        assertNotEquals(one, new AlgorithmFile(folder, device("NVIDIA H200"), 130001).file());
        assertNotEquals(one, new AlgorithmFile(folder, device("NVIDIA H100"), 130000).file());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\0\u00ff\u00fe\n\n", "x -> 1", "x -> 1 1b1b", "x -> one 1b1b\ny ->", "x"})
    void aDamagedLineIsMeasuredAgainAndTheOthersStay(String damage) throws Exception {
        open().findOrKeep("other", CANDIDATES, () -> 2);
        Path file = open().file();
        Files.write(file, damage.getBytes(StandardCharsets.ISO_8859_1), StandardOpenOption.APPEND);
        assertEquals(CANDIDATES.get(1), open().findOrKeep("x", CANDIDATES, () -> 1));
        assertEquals(CANDIDATES.get(1), open().findOrKeep("x", CANDIDATES, AlgorithmFileTest::never));
        assertEquals(CANDIDATES.get(2), open().findOrKeep("other", CANDIDATES, AlgorithmFileTest::never));
        assertEquals(3, Files.readAllLines(file).size(), "a header and two lines");
    }

    @Test
    void aFileThatIsCutOffCostsItsLastLineAlone() throws Exception {
        open().findOrKeep("x", CANDIDATES, () -> 1);
        open().findOrKeep("y", CANDIDATES, () -> 2);
        byte[] whole = Files.readAllBytes(open().file());
        try (FileChannel channel = FileChannel.open(open().file(), StandardOpenOption.WRITE)) {
            channel.truncate(whole.length - 20);
        }
        assertEquals(CANDIDATES.get(1), open().findOrKeep("x", CANDIDATES, AlgorithmFileTest::never));
        assertEquals(CANDIDATES.get(2), open().findOrKeep("y", CANDIDATES, () -> 2));
        assertEquals(
                new String(whole, StandardCharsets.ISO_8859_1),
                Files.readString(open().file(), StandardCharsets.ISO_8859_1));
    }

    @Test
    void aFolderThatCannotBeWrittenCostsTheKeepingAlone() throws Exception {
        Path noFolder = Files.writeString(folder.resolve("file"), "no folder");
        AlgorithmFile file = new AlgorithmFile(noFolder, device("any"), 1);
        assertEquals(CANDIDATES.get(2), file.findOrKeep("x", CANDIDATES, () -> 2));
        assertEquals(CANDIDATES.get(1), file.findOrKeep("x", CANDIDATES, () -> 1));
        AlgorithmFile directory = open();
        Files.createDirectories(directory.file().resolve("something"));
        assertEquals(CANDIDATES.get(2), directory.findOrKeep("x", CANDIDATES, () -> 2));
    }

    @Test
    void whoWaitsForTheFileFindsWhatWasChosenMeanwhile() throws Exception {
        Path lockFile = folder.resolve(open().file().getFileName() + ".lock");
        CompletableFuture<Algorithm> waiting;
        try (FileChannel channel = FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock lock = channel.lock()) {
            assertTrue(lock.isValid());
            waiting = CompletableFuture.supplyAsync(() -> open().findOrKeep("x", CANDIDATES, AlgorithmFileTest::never));
            Thread.sleep(200); // who does not wait measures by now
            Files.writeString(open().file(), "x -> 2 " + CANDIDATES.get(2).hex() + "\n");
        }
        assertEquals(CANDIDATES.get(2), waiting.get(1, TimeUnit.MINUTES));
    }
}
