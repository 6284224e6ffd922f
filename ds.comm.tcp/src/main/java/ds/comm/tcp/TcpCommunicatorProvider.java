package ds.comm.tcp;

import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.CommunicatorException;
import ds.api.comm.Rendezvous;
import ds.api.spi.Availability;
import ds.api.spi.CommunicatorProvider;
import ds.api.spi.ProviderOptions;
import ds.comm.tcp.meet.Link;
import ds.comm.tcp.meet.Meeting;
import ds.comm.tcp.mesh.Mesh;
import ds.comm.tcp.share.Neighbourhood;
import ds.comm.tcp.share.Neighbours;
import java.io.IOException;
import java.util.List;

/**
 * The provider named "tcp"; its options are those of {@link TcpOptions}, of which {@link ds.comm.tcp.tls.TlsOptions} may stand in
 * the environment.
 */
public final class TcpCommunicatorProvider implements CommunicatorProvider {
    /** For the service loader. */
    public TcpCommunicatorProvider() {}

    @Override
    public String name() {
        return "tcp";
    }

    @Override
    public Availability availability() {
        return new Availability.Available("TCP of this Java runtime");
    }

    @Override
    public Communicator open(Rendezvous rendezvous, ProviderOptions options) {
        TcpOptions tcp = TcpOptions.of(options, System.getenv());
        List<Link> links = new Meeting(rendezvous, tcp.listenHost(), tcp.timeout(), tcp.tls()).join();
        return ready(start(rendezvous, links, tcp));
    }

    private static TcpCommunicator start(Rendezvous rendezvous, List<Link> links, TcpOptions tcp) {
        try {
            Neighbours neighbours = new Neighbours(rendezvous.rank(), rendezvous.worldSize(), tcp.timeout());
            Neighbourhood neighbourhood = neighbours.meet(links, tcp.where());
            Mesh mesh = new Mesh(rendezvous.rank(), links, neighbourhood, tcp.mesh());
            TcpCommunicator world = TcpCommunicator.world(mesh);
            mesh.start();
            return world;
        } catch (IOException e) {
            links.forEach(Link::close);
            throw new CommunicatorException("rank " + rendezvous.rank() + ": cannot use its sockets: " + e, e);
        }
    }

    /** Waits until all others have come as far. */
    private static Communicator ready(TcpCommunicator communicator) {
        try {
            communicator.barrier(Call.now("join")).await();
            return communicator;
        } catch (CommunicatorException e) {
            communicator.close();
            throw e;
        }
    }
}
