package ds.comm.tcp.faults;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A network between rank 0 and one other: passes bytes on, until something happens to it. */
final class FaultyProxy implements AutoCloseable {
    private final ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final int target;
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private boolean held;

    FaultyProxy(int target) throws IOException {
        this.target = target;
        Thread.ofVirtual().start(this::accept);
    }

    int port() {
        return listener.getLocalPort();
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket caller = listener.accept();
                try {
                    Socket listening = new Socket(InetAddress.getLoopbackAddress(), target);
                    sockets.addAll(List.of(caller, listening));
                    Thread.ofVirtual().start(() -> pass(caller, listening));
                    Thread.ofVirtual().start(() -> pass(listening, caller));
                } catch (IOException e) {
                    caller.close(); // nobody listens yet
                }
            } catch (IOException e) {
                // The end of the listener.
            }
        }
    }

    private void pass(Socket from, Socket to) {
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            byte[] bytes = new byte[1 << 16];
            for (int n = in.read(bytes); n >= 0; n = in.read(bytes)) {
                awaitPassage();
                out.write(bytes, 0, n);
            }
            to.shutdownOutput();
        } catch (IOException e) {
            close(from);
            close(to);
        }
    }

    private synchronized void awaitPassage() {
        while (held) {
            try {
                wait();
            } catch (InterruptedException e) {
                return; // nobody interrupts it
            }
        }
    }

    /** From now on nothing passes, or everything again. */
    synchronized void hold(boolean hold) {
        held = hold;
        notifyAll();
    }

    /** Ends all connections as a router does that has forgotten them. */
    void reset() {
        for (Socket socket : sockets) {
            try {
                socket.setOption(StandardSocketOptions.SO_LINGER, 0);
            } catch (IOException e) {
                // It is closed already.
            }
            close(socket);
        }
    }

    /** Ends one direction of all connections. */
    void halfClose() {
        for (int i = 0; i < sockets.size(); i += 2) {
            try {
                sockets.get(i).shutdownOutput();
            } catch (IOException e) {
                // It is closed already.
            }
        }
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            // It is closed then.
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        hold(false);
        sockets.forEach(FaultyProxy::close);
    }
}
