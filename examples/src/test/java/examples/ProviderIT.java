package examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A provider that this build does not know: compiled against ds.api alone, found by the name in the configuration. */
class ProviderIT {
    private static final Path SOURCES = Path.of("provider");
    private static final String SERVICE = "META-INF/services/ds.api.spi.OptimizerProvider";

    @TempDir
    private static Path folder;

    private static Path compiled;

    @BeforeAll
    static void compile() throws IOException {
        compiled = folder.resolve("my.optimizer");
        List<String> arguments = new ArrayList<>(List.of("-Xlint:all", "-Werror", "-d", compiled.toString()));
        try (Stream<Path> jars = Files.list(Program.LIB);
                Stream<Path> sources = Files.walk(SOURCES)) {
            String api = jars.map(Path::toString)
                    .filter(jar -> jar.contains("ds.api-"))
                    .findFirst()
                    .orElseThrow();
            arguments.addAll(List.of("-p", api));
            sources.map(Path::toString).filter(file -> file.endsWith(".java")).forEach(arguments::add);
        }
        StringWriter messages = new StringWriter();
        PrintWriter writer = new PrintWriter(messages, true);
        int code = ToolProvider.findFirst("javac").orElseThrow().run(writer, writer, arguments.toArray(String[]::new));
        assertEquals(0, code, messages.toString());
    }

    private static Program train(String config, String... paths) throws IOException {
        List<String> arguments = new ArrayList<>(List.of(paths));
        arguments.addAll(List.of("-m", "examples/examples.zero.ZeroTraining", config));
        return Program.start(folder, Map.of(), arguments);
    }

    @Test
    void trainsFromTheModulePathAndFromTheClassPath() throws Exception {
        Path onClassPath = folder.resolve("classes");
        copy("my/optimizer/MomentumSgd.class", onClassPath);
        copy("my/optimizer/MomentumSgdProvider.class", onClassPath);
        Files.createDirectories(onClassPath.resolve(SERVICE).getParent());
        Files.copy(SOURCES.resolve(SERVICE), onClassPath.resolve(SERVICE));
        try (Program module = train("momentum.json", "-p", Program.LIB + File.pathSeparator + compiled);
                Program classes = train("momentum.json", "-p", Program.LIB.toString(), "-cp", onClassPath.toString())) {
            List<Double> losses = module.losses();
            assertTrue(losses.getLast() < losses.getFirst() / 2, losses.toString());
            assertEquals(losses, classes.losses());
        }
    }

    private static void copy(String file, Path target) throws IOException {
        Files.createDirectories(target.resolve(file).getParent());
        Files.copy(compiled.resolve(file), target.resolve(file));
    }

    /** Only the provider itself can know what its options are called. */
    @Test
    void theProviderReadsItsOptions() throws Exception {
        Path config = folder.resolve("typo.json");
        Files.writeString(config, Files.readString(Path.of("momentum.json")).replace("\"momentum\"", "\"momentun\""));
        try (Program program = train(config.toString(), "-p", Program.LIB + File.pathSeparator + compiled)) {
            String output = program.fail();
            assertTrue(
                    output.contains("optimizer.params.momentun = 0.8: unknown option; known are [momentum]"), output);
        }
    }

    @Test
    void withoutItsModuleTheNameIsUnknown() throws Exception {
        try (Program program = train("momentum.json", "-p", Program.LIB.toString())) {
            String output = program.fail();
            assertTrue(output.contains("optimizer.type = MomentumSgd: no such provider"), output);
        }
    }
}
