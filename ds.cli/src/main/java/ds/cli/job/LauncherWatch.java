package ds.cli.job;

import java.io.IOException;
import java.util.Map;

/**
 * Ends a rank whose launcher is gone, however that ended. The launcher holds the other end of the rank's standard input, which
 * the system closes with the launcher.
 */
public final class LauncherWatch {
    /** Set by the launcher for its ranks. */
    static final String LAUNCHED = "DS_LAUNCHED";

    /** Exit code of a rank that lost its launcher: as if hung up (128 + SIGHUP). */
    static final int EXIT_CODE = 129;

    private LauncherWatch() {}

    /** Watches in the background, if this process is a rank that {@code ds launch} has started. */
    public static void startIfLaunched(Map<String, String> environment) {
        if (environment.containsKey(LAUNCHED)) {
            Thread.ofPlatform().daemon().name("launcher-watch").start(LauncherWatch::watch);
        }
    }

    private static void watch() {
        try {
            while (System.in.read() >= 0) {
                // What the launcher might write means nothing; only the end does.
            }
        } catch (IOException e) {
            // A broken pipe is an end, too.
        }
        Runtime.getRuntime().halt(EXIT_CODE); // not exit: hooks could wait for ranks that are gone as well
    }
}
