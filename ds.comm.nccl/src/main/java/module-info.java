/**
 * Collectives of GPUs by NCCL, over NVLink, InfiniBand or sockets as NCCL finds them. Calls the libraries directly, and needs no jar beside
 * it. Exports nothing: reached only as the provider named "nccl".
 */
module ds.comm.nccl {
    requires ds.api;

    provides ds.api.spi.CommunicatorProvider with
            ds.comm.nccl.NcclCommunicatorProvider;
}
