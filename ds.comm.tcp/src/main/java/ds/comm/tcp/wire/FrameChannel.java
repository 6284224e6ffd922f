package ds.comm.tcp.wire;

import java.io.IOException;
import java.nio.channels.GatheringByteChannel;
import java.nio.channels.ReadableByteChannel;

/** Carries frames between ranks that have met; never blocks. What lies between it and the socket, if anything, it tells. */
public interface FrameChannel extends ReadableByteChannel, GatheringByteChannel {
    /** {@return whether bytes can be read that have left the socket already, so that no selector tells of them} */
    default boolean holdsInput() {
        return false;
    }

    /**
     * Goes on to send what has been written.
     *
     * @return whether all of it is with the socket
     */
    default boolean flush() throws IOException {
        return true;
    }
}
