package ds.cli.job;

import ds.cli.terminal.Console;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/** What the processes of {@link LocalJobTest} run. */
final class TestRank {
    private TestRank() {}

    public static void main(String[] args) throws IOException {
        String rank = System.getenv("RANK");
        LauncherWatch.startIfLaunched(System.getenv());
        switch (args[0]) {
            case "hello" -> {
                System.out.println("hello from " + rank + " of " + System.getenv("WORLD_SIZE"));
                System.err.println("warning from " + rank);
            }
            case "fail" -> {
                if (rank.equals(args[1])) {
                    System.exit(Integer.parseInt(args[2]));
                }
                waitForever();
            }
            case "wait" -> {
                System.out.println("pid " + ProcessHandle.current().pid());
                waitForever();
            }
            case "listen" -> {
                StopRequest stop = new StopRequest();
                stop.listen();
                System.out.println("pid " + ProcessHandle.current().pid());
                while (!stop.isRequested()) {
                    Thread.onSpinWait();
                }
                System.out.println("saved by " + rank);
                stop.exit(0);
            }
            case "launch-listen" -> {
                Console console = Console.ofProcess(System.getenv());
                System.exit(new LocalJob(JobPlan.local(2), LocalJobTest.java(), console).run(List.of("listen")));
            }
            case "launch" -> {
                Console console = Console.ofProcess(System.getenv());
                System.exit(new LocalJob(JobPlan.local(2), LocalJobTest.java(), console).run(List.of("wait")));
            }
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static void waitForever() {
        while (true) {
            LockSupport.park();
        }
    }
}
