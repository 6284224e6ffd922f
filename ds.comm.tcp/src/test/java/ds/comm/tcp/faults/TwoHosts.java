package ds.comm.tcp.faults;

import java.io.IOException;
import java.util.List;

/** Two network namespaces and a link between them, which can be cut; needs root and {@code ip}. Addresses do not leave them. */
final class TwoHosts implements AutoCloseable {
    static final String FIRST_ADDRESS = "10.211.0.1";

    private final String first;
    private final String second;

    private TwoHosts(String name) {
        first = name + "a";
        second = name + "b";
    }

    /** {@return whether this machine lets us} */
    static boolean available() {
        try (TwoHosts hosts = open("dsprobe" + ProcessHandle.current().pid())) {
            return hosts.first != null;
        } catch (IOException e) {
            return false;
        }
    }

    /** {@return two hosts that are connected} The name is that of no other ones. */
    static TwoHosts open(String name) throws IOException {
        TwoHosts hosts = new TwoHosts(name);
        boolean connected = false;
        try {
            ip("netns", "add", hosts.first);
            ip("netns", "add", hosts.second);
            ip(
                    "-n",
                    hosts.first,
                    "link",
                    "add",
                    "link0",
                    "type",
                    "veth",
                    "peer",
                    "name",
                    "link0",
                    "netns",
                    hosts.second);
            ip("-n", hosts.first, "addr", "add", FIRST_ADDRESS + "/24", "dev", "link0");
            ip("-n", hosts.second, "addr", "add", "10.211.0.2/24", "dev", "link0");
            for (String host : List.of(hosts.first, hosts.second)) {
                ip("-n", host, "link", "set", "lo", "up");
                ip("-n", host, "link", "set", "link0", "up");
            }
            connected = true;
            return hosts;
        } finally {
            if (!connected) {
                hosts.close();
            }
        }
    }

    /** {@return what begins the command line of a process that runs on the first host, or on the second} */
    List<String> on(boolean onFirst) {
        return List.of("ip", "netns", "exec", onFirst ? first : second);
    }

    /** Nothing passes any more, and nobody is told. */
    void cut() throws IOException {
        ip("-n", second, "link", "set", "link0", "down");
    }

    private static void ip(String... arguments) throws IOException {
        ProcessBuilder builder = new ProcessBuilder("ip");
        builder.command().addAll(List.of(arguments));
        builder.redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD);
        try {
            int code = builder.start().waitFor();
            if (code != 0) {
                throw new IOException(String.join(" ", builder.command()) + ": exit code " + code);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    @Override
    public void close() {
        for (String host : List.of(first, second)) {
            try {
                ip("netns", "del", host);
            } catch (IOException e) {
                // It was not made.
            }
        }
    }
}
