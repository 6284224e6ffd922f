/**
 * Collectives of GPUs by NCCL, over NVLink, InfiniBand or sockets as NCCL finds them. Calls the libraries directly, and needs no jar but
 * ds.cuda beside it. Exports nothing: reached only as the provider named "nccl".
 */
module ds.comm.nccl {
    requires ds.api;
    requires ds.cuda;

    provides ds.api.spi.CommunicatorProvider with
            ds.comm.nccl.NcclCommunicatorProvider;
}
