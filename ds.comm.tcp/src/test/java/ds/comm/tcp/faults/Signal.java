package ds.comm.tcp.faults;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** A signal to a process, sent without a process of its own, for which a busy machine may have no room. */
enum Signal {
    STOP(19, 17),
    CONT(18, 19);

    private final int onLinux;
    private final int onBsd;

    Signal(int onLinux, int onBsd) {
        this.onLinux = onLinux;
        this.onBsd = onBsd;
    }

    /** {@code int kill(pid_t pid, int sig)} */
    @SuppressWarnings("restricted") // the signature is that of POSIX
    private static MethodHandle kill() {
        Linker linker = Linker.nativeLinker();
        MemorySegment function = linker.defaultLookup().findOrThrow("kill");
        return linker.downcallHandle(
                function, FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    }

    /** A process that has ended needs none. */
    void send(Process process) throws Exception {
        int number = System.getProperty("os.name").equals("Linux") ? onLinux : onBsd;
        int pid = Math.toIntExact(process.pid());
        try {
            int error = (int) kill().invokeExact(pid, number);
            assertTrue(error == 0 || !process.isAlive(), this + " to " + pid);
        } catch (Exception | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
