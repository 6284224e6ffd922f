package ds.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.spi.Availability;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Option {@code product_candidates}, on the device that is there. */
class ProductCandidatesTest {
    private static final int SEVERAL = 8;
    // Bytes 16 to 23 of the emulated library's algorithms: index and microseconds. The second is the fastest, the third
    // slower.
    private static final int AT = 32;
    private static final String SECOND = "0100000000000000";
    private static final String THIRD = "0200000090010000";
    private static final String UNKNOWN = "0100000001000000";

    @TempDir
    private Path folder;

    private boolean emulated;

    @BeforeEach
    void needsDevice() {
        Availability availability = new CudaBackendProvider().availability();
        assumeTrue(availability instanceof Availability.Available, "no GPU");
        emulated = availability.toString().contains("emulated device");
    }

    private boolean isKept() throws Exception {
        try (Stream<Path> files = Files.list(folder)) {
            return files.anyMatch(path -> path.toString().endsWith(".txt"));
        }
    }

    private Path file() throws Exception {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(path -> path.toString().endsWith(".txt"))
                    .findFirst()
                    .orElseThrow();
        }
    }

    private List<String> lines() throws Exception {
        List<String> lines = Files.readAllLines(file());
        assertTrue(lines.getFirst().startsWith("#"), lines.getFirst());
        return lines.subList(1, lines.size());
    }

    private void edit(UnaryOperator<String> change) throws Exception {
        Files.writeString(file(), change.apply(Files.readString(file())));
    }

    /** Bits of a product of numbers whose sums depend on their order. */
    private List<Integer> bits(int candidates) {
        try (ProductCase.Run run = new ProductCase.Run(folder, candidates, 0)) {
            return run.bits(200);
        }
    }

    @Test
    void theFirstIsTakenAndNothingKeptByDefault() throws Exception {
        bits(1);
        try (Stream<Path> files = Files.list(folder)) {
            assertFalse(files.anyMatch(path -> path.getFileName().toString().startsWith("products")));
        }
    }

    @Test
    void whatIsChosenIsKept() throws Exception {
        List<Integer> bits = bits(SEVERAL);
        assumeTrue(isKept(), "the library has one algorithm alone");
        String kept = Files.readString(file());
        assertEquals(1, lines().size(), kept);
        assertEquals(bits, bits(SEVERAL), "the same bits in the next run");
        assertEquals(kept, Files.readString(file()));
    }

    @Test
    void theFastestIsChosen() throws Exception {
        assumeTrue(emulated, "which is the fastest is unknown");
        List<Integer> chosen = bits(SEVERAL);
        assertTrue(lines().getFirst().contains(" -> 1 "), lines().getFirst());
        assertNotEquals(bits(1), chosen, "another order of sums");
    }

    @Test
    void whatIsKeptIsTakenWithoutMeasuring() throws Exception {
        assumeTrue(emulated, "other algorithms of a real library are unknown");
        List<Integer> second = bits(SEVERAL);
        String hex = lines().getFirst().replaceAll(".* ", "");
        assertEquals(SECOND, hex.substring(AT, AT + SECOND.length()));
        edit(text -> text.replace(hex, hex.substring(0, AT) + THIRD + hex.substring(AT + THIRD.length())));
        String edited = Files.readString(file());
        List<Integer> third = bits(SEVERAL);
        assertNotEquals(second, third);
        assertNotEquals(bits(1), third);
        assertEquals(edited, Files.readString(file()), "not measured again");
    }

    @Test
    void whatIsNoCandidateOrDamagedIsMeasuredAgain() throws Exception {
        assumeTrue(emulated, "which is the fastest is unknown");
        List<Integer> bits = bits(SEVERAL);
        String kept = Files.readString(file());
        edit(text -> text.replace(SECOND, UNKNOWN));
        assertEquals(bits, bits(SEVERAL));
        assertEquals(kept, Files.readString(file()));
        edit(text -> text.substring(0, text.length() - 5));
        assertEquals(bits, bits(SEVERAL));
        assertEquals(kept, Files.readString(file()));
    }

    /** Numbers are integers, so that every order of sums has the same one. */
    @ParameterizedTest
    @EnumSource
    void measuringChangesNoResult(ProductCase product) {
        assumeTrue(emulated || !product.inPlace(), "a real library does not say what these give");
        try (ProductCase.Run run = new ProductCase.Run(folder, 1, 0)) {
            assumeTrue(emulated || product.run(run), "the library has no such epilogue for this size");
        }
        List<float[]> expected = result(product, 1);
        List<float[]> measured = result(product, SEVERAL);
        List<float[]> kept = result(product, SEVERAL);
        for (int i = 0; i < expected.size(); i++) {
            ProductCase.assertClose(expected.get(i), measured.get(i), emulated ? 0 : 0.02, product + " operand " + i);
            ProductCase.assertClose(measured.get(i), kept.get(i), 0, product + " operand " + i + ", the next run");
        }
    }

    private List<float[]> result(ProductCase product, int candidates) {
        try (ProductCase.Run run = new ProductCase.Run(folder, candidates, 0)) {
            return run.result(product);
        }
    }

    @Test
    void theFirstIsKeptWhereMemoryIsTooShortToMeasure() throws Exception {
        long operands = 4 * (1024 * 4 + 4 * 512 + 1024 * 512);
        long workspace = 32 << 20;
        long others = 1 << 20; // less than the sum
        try (ProductCase.Run run = new ProductCase.Run(folder, SEVERAL, 0, operands + workspace + others)) {
            run.bits(10); // has the workspace allocated
            run.sum(1024, 4, 512);
        }
        assumeTrue(emulated, "heuristics may name one algorithm alone");
        assertEquals(2, lines().size());
        assertTrue(lines().stream().anyMatch(line -> line.contains("columns=1024") && line.contains(" -> 0 ")));
    }

    @Test
    void withoutAFolderItIsMeasuredAllTheSame() throws Exception {
        assumeTrue(emulated, "which is the fastest is unknown");
        List<Integer> kept = bits(SEVERAL);
        Path noFolder = Files.writeString(folder.resolve("file"), "no folder");
        try (ProductCase.Run run = new ProductCase.Run(noFolder, SEVERAL, 0)) {
            assertEquals(kept, run.bits(200));
        }
    }

    /** Ranks that measure the same products in opposite orders. */
    @Test
    void ranksOfAHostChooseAlike() throws Exception {
        assumeTrue(emulated, "real GPUs are one for each process");
        List<Long> depths = new ArrayList<>(LongStream.range(100, 116).boxed().toList());
        List<Long> reversed = new ArrayList<>(depths.reversed());
        CompletableFuture<List<List<Integer>>> one = CompletableFuture.supplyAsync(() -> bits(0, depths));
        CompletableFuture<List<List<Integer>>> other = CompletableFuture.supplyAsync(() -> bits(1, reversed));
        List<List<Integer>> others = new ArrayList<>(other.get(1, TimeUnit.MINUTES));
        Collections.reverse(others);
        assertEquals(one.get(1, TimeUnit.MINUTES), others);
        assertEquals(depths.size(), lines().size(), "none is lost");
    }

    private List<List<Integer>> bits(int rank, List<Long> depths) {
        try (ProductCase.Run run = new ProductCase.Run(folder, SEVERAL, rank)) {
            return depths.stream().map(run::bits).toList();
        }
    }
}
