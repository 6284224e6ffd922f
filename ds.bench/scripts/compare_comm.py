#!/usr/bin/env python3
"""`ds bench comm` and PyTorch's Gloo in turns, on loopback or between network namespaces with a limited rate.

With --rates (root only, Linux), every host is a namespace whose link to a bridge carries so much each way (tc tbf); all
namespaces are removed at the end. What one TCP connection carries over such a link is measured in the same run. Prints one
JSON line per operation and size: the medians of all rounds, and their ratio to the peer and to the link.

Examples:
  compare_comm.py --ranks 2 --bytes 4096,67108864
  compare_comm.py --hosts 4 --ranks-per-host 1 --rates 100mbit,1gbit --bytes 4194304 --ops allReduce
"""
import argparse
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RECEIVE = """
import socket, sys, time
s = socket.create_server((sys.argv[1], int(sys.argv[2]))); c, _ = s.accept(); b = bytearray(1 << 20); n = 0; t = None
end = None
while True:
    k = c.recv_into(b)
    now = time.monotonic()
    if k == 0: break
    if t is None:
        t = now + 0.5  # past the start
    elif now > t:
        n += k; end = now
print(n / (end - t))
"""
SEND = """
import socket, sys, time
c = socket.create_connection((sys.argv[1], int(sys.argv[2]))); b = bytearray(1 << 20); end = time.monotonic() + 3
while time.monotonic() < end: c.sendall(b)
"""

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--ranks", type=int, default=2, help="on loopback")
parser.add_argument("--hosts", type=int, default=4, help="namespaces")
parser.add_argument("--ranks-per-host", type=int, default=1)
parser.add_argument("--rates", default="", help="such as 100mbit,1gbit,10gbit; none: loopback")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--python", default=sys.executable, help="that has torch")
parser.add_argument("--no-peer", action="store_true")
parser.add_argument("--ops", default="allReduce,reduceScatter,allGather")
parser.add_argument("--bytes", default="4096,65536,1048576,4194304,67108864")
parser.add_argument("--dtype", default="fp32")
parser.add_argument("--repeats", type=int, default=3)
parser.add_argument("--seconds", type=float, default=0.1)
parser.add_argument("--option", action="append", default=[], help="KEY=VALUE for `ds bench comm`; repeatable")
args = parser.parse_args()


def run(*command):
    subprocess.run(command, check=True)


class Network:
    """Hosts on a switch, all of them namespaces; nothing outside of them is touched."""

    def __init__(self, hosts, rate):
        self.rate, self.prefix = rate, f"ds{os.getpid()}"
        self.switch = self.prefix + "sw"
        self.names = [f"{self.prefix}h{h}" for h in range(hosts)]

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def build(self):
        run("ip", "netns", "add", self.switch)
        run("ip", "-n", self.switch, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", self.switch, "link", "set", "br0", "up")
        for h, name in enumerate(self.names):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"p{h}", "netns", self.switch)
            run("ip", "-n", self.switch, "link", "set", f"p{h}", "master", "br0", "up")
            run("ip", "-n", name, "addr", "add", self.address(h) + "/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "link", "set", "eth0", "up")
            self.limit(name, "eth0")
            self.limit(self.switch, f"p{h}")

    def limit(self, namespace, device):
        burst = "64kb" if self.rate == "100mbit" else "256kb" if self.rate == "1gbit" else "2mb"
        run("ip", "netns", "exec", namespace, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", self.rate,
            "burst", burst, "latency", "20ms")

    def address(self, host):
        return f"10.213.0.{host + 1}"

    def payload_rate(self):
        """Bytes per second of one connection."""
        receiver = subprocess.Popen(["ip", "netns", "exec", self.names[0], sys.executable, "-c", RECEIVE, self.address(0),
                                     "5001"], stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)
        run("ip", "netns", "exec", self.names[1], sys.executable, "-c", SEND, self.address(0), "5001")
        return float(receiver.communicate()[0])

    def __exit__(self, *_):
        for name in self.names + [self.switch]:
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)


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
    ours_command = [os.path.join(ROOT, "ds"), "bench", "comm"] + common
    for option in args.option:
        ours_command += ["--option", option]
    peer_command = [args.python, os.path.join(HERE, "pytorch_comm.py")] + common
    link = network.payload_rate() if network else None
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
            line |= {"rate": rate, "ranks_per_host": args.ranks_per_host, "link_bytes_per_second": round(link)}
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
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("tc"):
        sys.exit("--rates needs root, and ip and tc of iproute2")
    for rate in args.rates.split(","):
        with Network(args.hosts, rate) as network:
            compare(network, rate)
else:
    compare(None, None)
