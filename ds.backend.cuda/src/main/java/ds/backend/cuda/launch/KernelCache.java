package ds.backend.cuda.launch;

import ds.backend.cuda.driver.Nvrtc;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/**
 * Compiled kernels in a folder, by a hash of their source, of the compiler's version and of what it was told: nothing is ever stale, and
 * what is no longer asked for may be deleted at any time. Without a folder that can be written, every start compiles.
 */
public final class KernelCache {
    private static final System.Logger LOG = System.getLogger(KernelCache.class.getName());

    private final Path folder;
    private final Nvrtc compiler;

    public KernelCache(Path folder, Nvrtc compiler) {
        this.folder = folder;
        this.compiler = compiler;
    }

    /** {@return machine code of a source for an architecture} */
    public byte[] image(String name, String architecture) {
        KernelSource source = KernelSource.of(name);
        List<String> options = source.options(architecture);
        Path file = folder.resolve(name + "-" + architecture + "-" + hash(source, options) + ".cubin");
        try {
            if (Files.isReadable(file)) {
                return Files.readAllBytes(file);
            }
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "compiling anew: {0} cannot be read: {1}", file, e);
        }
        byte[] image = compiler.compile(name + ".cu", source.text(), options);
        keep(file, image);
        return image;
    }

    private static void keep(Path file, byte[] image) {
        try {
            replace(file, image);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "the compiled kernels are not kept: {0}", e.toString());
        }
    }

    /** Writes a file, and its folder: beside it, and renamed, so that ranks that start together do not read each other's halves. */
    public static void replace(Path file, byte[] bytes) throws IOException {
        Files.createDirectories(file.getParent());
        Path part = Files.createTempFile(file.getParent(), ".ds", ".part");
        try {
            Files.write(part, bytes);
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
        }
    }

    private String hash(KernelSource source, List<String> options) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update((compiler.version() + options + source.text()).getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest.digest(), 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java machine has SHA-256", e);
        }
    }
}
