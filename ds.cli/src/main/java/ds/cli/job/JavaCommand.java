package ds.cli.job;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * How a Java machine is started that runs {@code ds} itself.
 *
 * @param machine the executable and its flags
 * @param main what it runs: a module and its class
 */
public record JavaCommand(List<String> machine, List<String> main) {
    /** What a second process must not or need not repeat: main module, debug port, its share of processors. */
    private static final Pattern OWN =
            Pattern.compile("-Djdk\\.module\\.main=.*|-agentlib:jdwp.*|-XX:ActiveProcessorCount=.*");

    /** Copies the lists. */
    public JavaCommand {
        machine = List.copyOf(machine);
        main = List.copyOf(main);
    }

    /** {@return the command of this process, without its arguments} */
    public static JavaCommand ofThisProcess() {
        var machine = new ArrayList<String>();
        machine.add(executable());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(flag -> !OWN.matcher(flag).matches())
                .forEach(machine::add);
        String classPath = System.getProperty("java.class.path", "");
        if (!classPath.isEmpty()) {
            machine.add("--class-path=" + classPath); // providers may be there
        }
        String main = System.getProperty("jdk.module.main") + "/" + System.getProperty("jdk.module.main.class");
        return new JavaCommand(machine, List.of("-m", main));
    }

    /** {@return the {@code java} that runs this process} */
    static String executable() {
        return Path.of(System.getProperty("java.home"), "bin", "java").toString();
    }

    /** {@return the whole command line} Such a process sees only so many processors, and starts as many threads. */
    List<String> line(int processors, List<String> arguments) {
        Stream<String> share = Stream.of("-XX:ActiveProcessorCount=" + processors);
        return Stream.of(machine.stream(), share, main.stream(), arguments.stream())
                .flatMap(part -> part)
                .toList();
    }
}
