/**
 * Collectives over TCP, for clusters without a faster interconnect and for ranks of one machine. Exports nothing: reached
 * only as the provider named "tcp".
 */
module ds.comm.tcp {
    requires ds.api;
    requires jdk.incubator.vector; // sums of BF16
    requires jdk.jfr;

    provides ds.api.spi.CommunicatorProvider with
            ds.comm.tcp.TcpCommunicatorProvider;
}
