#!/usr/bin/env python3
"""Collectives of PyTorch's Gloo: the peer of `ds bench comm`, with the same options, output and way of counting.

Prints one JSON line per operation and size. A process that has RANK and WORLD_SIZE in its environment is one rank; otherwise
--ranks are started here. Every result is compared with what it must be. Needs torch.
Example: pytorch_comm.py --ranks 2 --bytes 4096,67108864 --ops allReduce,allGather
"""
import argparse
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import time

OPS = ["allReduce", "reduceScatter", "allGather", "broadcast", "reduce", "gather", "allToAll"]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--ranks", type=int, default=1)
parser.add_argument("--ops", default=",".join(OPS))
parser.add_argument("--bytes", default="4096,65536,1048576,16777216,67108864")
parser.add_argument("--dtype", default="fp32", choices=["fp32", "bf16", "fp16"])
parser.add_argument("--warm-up", type=float, default=0.2, help="how long each operation is called before it is timed")
parser.add_argument("--repeats", type=int, default=5)
parser.add_argument("--seconds", type=float, default=0.2, help="what the calls of one timing take together")
parser.add_argument("--json", action="store_true", help="the only format there is")
args = parser.parse_args()

if "RANK" not in os.environ:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    children = []
    for rank in range(args.ranks):
        place = {"RANK": str(rank), "WORLD_SIZE": str(args.ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
                 "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // args.ranks))}
        children.append(subprocess.Popen([sys.executable] + sys.argv, env={**os.environ, **place}))
    sys.exit(max(child.wait() for child in children))

import torch
import torch.distributed as dist

dist.init_process_group("gloo")
rank, ranks = dist.get_rank(), dist.get_world_size()
dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[args.dtype]


def pattern(of, count):
    i = torch.arange(count, dtype=torch.int64)
    return ((i + i // 1021 + 3 * of) & 3).to(dtype)


def combined(value, op):
    number = torch.tensor([value], dtype=torch.float64)
    dist.all_reduce(number, op)
    return number.item()


def prepare(op, count):
    """Returns the input, a call, its result and what that must be (none where it is undefined)."""
    shard = count // ranks
    if op in ("allGather", "gather"):
        data = torch.empty(shard, dtype=dtype)
        expected = torch.cat([pattern(r, shard) for r in range(ranks)])
    else:
        data = torch.empty(count, dtype=dtype)
        expected = sum(pattern(r, count) for r in range(ranks))
    out = torch.empty(count if op != "reduceScatter" else shard, dtype=dtype)
    if op == "allReduce":
        return data, lambda: dist.all_reduce(data), data, expected
    if op == "reduceScatter":
        return data, lambda: dist.reduce_scatter_tensor(out, data), out, expected[rank * shard:(rank + 1) * shard]
    if op == "allGather":
        return data, lambda: dist.all_gather_into_tensor(out, data), out, expected
    if op == "broadcast":
        return data, lambda: dist.broadcast(data, 0), data, pattern(0, count)
    if op == "reduce":
        return data, lambda: dist.reduce(data, 0), data, expected if rank == 0 else None
    if op == "gather":
        parts = list(out.chunk(ranks)) if rank == 0 else None
        return data, lambda: dist.gather(data, parts, 0), out, expected if rank == 0 else None
    if op == "allToAll":
        expected = torch.cat([pattern(r, count)[rank * shard:(rank + 1) * shard] for r in range(ranks)])
        return data, lambda: dist.all_to_all_single(out, data), out, expected
    sys.exit(f"--ops: {op} is none of {OPS}")


def verify(op, data, call, result, expected):
    data.copy_(pattern(rank, data.numel()))
    call()
    if expected is not None and not torch.equal(result, expected):
        sys.exit(f"rank {rank}: {op} gave a wrong number")
    data.zero_()


def timed(call, calls):
    dist.barrier()
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return time.perf_counter() - start


for size in map(int, args.bytes.split(",")):
    for op in args.ops.split(","):
        data, call, result, expected = prepare(op, size // dtype.itemsize)
        verify(op, data, call, result, expected)
        spent, calls, fastest = 0.0, 1, math.inf
        while spent < args.warm_up:
            took = combined(timed(call, calls), dist.ReduceOp.MAX)
            spent, fastest = spent + took, min(fastest, took / calls)
            calls = min(calls * 2, 1000)
        calls = max(1, min(20000, math.ceil(args.seconds / fastest)))
        cpu = time.process_time()
        seconds = [combined(timed(call, calls), dist.ReduceOp.MAX) / calls for _ in range(args.repeats)]
        cpu = combined(time.process_time() - cpu, dist.ReduceOp.SUM)
        verify(op, data, call, result, expected)
        factor = {"allReduce": 2 * (ranks - 1) / ranks, "broadcast": 1, "reduce": 1}.get(op, (ranks - 1) / ranks)
        median = statistics.median(seconds)
        if rank == 0:
            print(json.dumps({
                "peer": "gloo " + torch.__version__, "op": op, "bytes": size, "ranks": ranks, "dtype": args.dtype,
                "seconds": median, "bus_bytes_per_second": size * factor / median, "seconds_min": min(seconds),
                "seconds_max": max(seconds), "calls": calls * args.repeats,
                "cpu_seconds": cpu / (calls * args.repeats), "verified": True}), flush=True)
dist.destroy_process_group()
