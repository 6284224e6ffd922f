#!/usr/bin/env python3
"""`ds bench comm` and PyTorch's Gloo in turns, on loopback or between network namespaces with a limited rate.

With --rates (root only, Linux), every host is a namespace whose link to a bridge carries so much each way (tc tbf); all
namespaces are removed at the end. What one TCP connection carries over such a link is measured in the same run. Prints one
JSON line per operation and size: the medians of all rounds, and their ratio to the peer and to the link; and before them what plain
sockets carry when all hosts send at once, which on a machine with few cores is less than the link.

Examples:
  compare_comm.py --ranks 2 --bytes 4096,67108864
  compare_comm.py --hosts 4 --ranks-per-host 1 --rates 100mbit,1gbit --bytes 4194304 --ops allReduce
"""
import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys

from network import Network, require

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--ranks", type=int, default=2, help="on loopback")
parser.add_argument("--hosts", type=int, default=4, help="namespaces")
parser.add_argument("--ranks-per-host", type=int, default=1)
parser.add_argument("--rates", default="", help="such as 100mbit,1gbit,10gbit; none: loopback")
parser.add_argument("--congestion-control", help="of the namespaces, such as cubic or bbr; default the system's. Ours takes Reno in "
                    "place of BBR there, but for --option congestion_control=system")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--python", default=sys.executable, help="that has torch")
parser.add_argument("--no-peer", action="store_true")
parser.add_argument("--ops", default="allReduce,reduceScatter,allGather")
parser.add_argument("--bytes", default="4096,65536,1048576,4194304,67108864")
parser.add_argument("--dtype", default="fp32")
parser.add_argument("--repeats", type=int, default=3)
parser.add_argument("--seconds", type=float, default=0.1)
parser.add_argument("--warm-up", type=float, default=0.2, help="seconds of each operation and size; the peer's is its own")
parser.add_argument("--option", action="append", default=[], help="KEY=VALUE for `ds bench comm`; repeatable")
args = parser.parse_args()


def job(command, network):
    """Runs a benchmark; returns rank 0's lines."""
    if network is None:
        return subprocess.run(command + ["--ranks", str(args.ranks)], check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True).stdout
    ranks, secret = args.hosts * args.ranks_per_host, secrets.token_hex(32)
    processes = []
    for rank in range(ranks):
        host, local = divmod(rank, args.ranks_per_host)
        threads = str(max(1, (os.cpu_count() or 1) // ranks))
        place = {"RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_RANK": str(local), "MASTER_PORT": "29511",
                 "MASTER_ADDR": network.address(0), "DS_SECRET": secret, "GLOO_SOCKET_IFNAME": "eth0",
                 "OMP_NUM_THREADS": threads}
        processes.append(subprocess.Popen(["ip", "netns", "exec", network.names[host]] + command,
                                          env={**os.environ, **place},
                                          stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL, text=True))
    out = processes[0].communicate()[0]
    if any(p.wait() for p in processes):
        sys.exit(f"{command[0]} failed: {[p.returncode for p in processes]}")
    return out


def parse(text):
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {(line["op"], line["bytes"]): line for line in lines}


def compare(network, rate):
    common = ["--ops", args.ops, "--bytes", args.bytes, "--dtype", args.dtype, "--repeats", str(args.repeats), "--seconds",
              str(args.seconds), "--json"]
    ours_command = [os.path.join(ROOT, "ds"), "bench", "comm", "--warm-up", str(args.warm_up)] + common
    for option in args.option:
        ours_command += ["--option", option]
    peer_command = [args.python, os.path.join(HERE, "pytorch_comm.py")] + common
    link = network.payload_rate() if network else None
    if network:
        for pattern in ("to the next host", "to all other hosts"):
            into = network.exchange_rate(pattern == "to the next host")
            print(json.dumps({"plain sockets": pattern, "rate": rate, "bytes_per_second": round(into),
                              "fraction_of_link": round(into / link, 4)}), flush=True)
    ours, peer = [], []
    for _ in range(args.rounds):
        ours.append(parse(job(ours_command, network)))
        if not args.no_peer:
            peer.append(parse(job(peer_command, network)))
    for key in ours[0]:
        def median(runs, field):
            return statistics.median(run[key][field] for run in runs)
        line = {"op": key[0], "bytes": key[1], "ranks": ours[0][key]["ranks"], "dtype": args.dtype}
        if network:
            line |= {"congestion_control": network.congestion_control, "rate": rate,
                     "ranks_per_host": args.ranks_per_host, "link_bytes_per_second": round(link)}
        line |= {"seconds": median(ours, "seconds"), "bus_bytes_per_second": round(median(ours, "bus_bytes_per_second")),
                 "cpu_seconds": median(ours, "cpu_seconds")}
        if network:
            hosts = args.hosts
            # what a host has to send at least, by which a link is measured
            least = key[1] * (hosts - 1) / hosts * (2 if key[0] == "allReduce" else 1)
            line["fraction_of_link"] = round(least / line["seconds"] / link, 4)
        if peer:
            line |= {"peer_seconds": median(peer, "seconds"), "peer_cpu_seconds": median(peer, "cpu_seconds"),
                     "times_peer": round(median(peer, "seconds") / line["seconds"], 2)}
        print(json.dumps(line), flush=True)


if args.rates:
    require()
    for rate in args.rates.split(","):
        with Network(args.hosts, rate, args.congestion_control) as network:
            compare(network, rate)
else:
    compare(None, None)
