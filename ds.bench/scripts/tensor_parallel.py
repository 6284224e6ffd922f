#!/usr/bin/env python3
"""ZeRO data parallelism beside tensor parallelism of degree 4, on four hosts with a limited link between them.

Every host is a network namespace; its rank is bound to half a core (two ranks share one). Both get the largest micro-batch that
`ds plan` finds to fit into the same memory, and no accumulation. The link's rate is chosen from a run without a limit, so that the
bytes of a tensor-parallel step take 2.87/1.13 of its other time, as on the cluster of DeepSpeed's claim of 3.75 times; then it is
swept from a quarter of that to four times. Beside these: the same global batch for both, and accumulation for both.
Writes tensor_parallel.json, .md and, where matplotlib is there, .png. Linux, root, iproute2; a few minutes.

Examples: tensor_parallel.py --output ds.bench/results
          tensor_parallel.py --layers 6 --channels 512 --heads 8 --dtype bf16 --memory 1200 --warmup 6 --name tensor_parallel_512
"""
import argparse
import atexit
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile

from network import Network, require, run

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DS = os.path.join(ROOT, "ds")
RANKS = 4
CLAIM = 2.87 / 1.13  # communication : compute of Megatron on DeepSpeed's cluster of February 2020
FACTORS = [0.25, 0.5, 1, 2, 4]
UNLIMITED = 5e9  # bytes per second: more than these hosts can send

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--layers", type=int, default=4)
parser.add_argument("--channels", type=int, default=128)
parser.add_argument("--heads", type=int, default=4)
parser.add_argument("--vocabulary", type=int, default=1024)
parser.add_argument("--seq", type=int, default=256)
parser.add_argument("--dtype", default="fp32", choices=["fp32", "bf16"])
parser.add_argument("--memory", type=int, default=452, help="MiB of each process; default 452")
parser.add_argument("--steps", type=int, default=2, help="at every point; default 2")
parser.add_argument("--warmup", type=int, default=15, help="steps of each job before it is timed; default 15")
parser.add_argument("--accumulation", type=int, default=2, help="micro-batches of the runs with accumulation; default 2")
parser.add_argument("--batches", default="", help="TP,DP1,DP2 micro-batches of an earlier plan, in place of planning")
parser.add_argument("--plan-only", action="store_true", help="print the micro-batches that fit, and end")
parser.add_argument("--output", default=os.path.join(ROOT, "ds.bench", "results"), help="folder")
parser.add_argument("--name", default="tensor_parallel", help="of the files in it, without their endings; default %(default)s")
args = parser.parse_args()


def plan(tensor, stage, micro):
    """What `ds plan` says of one rank."""
    config = {"train_micro_batch_size_per_gpu": micro, "tensor_parallel": {"autotp_size": tensor},
              "bf16": {"enabled": args.dtype == "bf16"}, "zero_optimization": {"stage": stage},
              "optimizer": {"type": "AdamW", "params": {"lr": 1e-4}},
              "ds": {"model": {"layers": args.layers, "channels": args.channels, "heads": args.heads,
                               "vocabulary": args.vocabulary, "positions": max(1024, args.seq)},
                     "train": {"sequence_length": args.seq}, "checkpoint": {"every": 0}}}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config, file)
        file.flush()
        out = subprocess.run([DS, "plan", "--config", file.name, "--ranks", str(RANKS), "--json"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)


def largest(tensor, stage):
    """The largest micro-batch whose steps fit into the memory; peaks grow evenly with it."""
    def bytes_of(micro):
        found = plan(tensor, stage, micro)
        return found["training_peak_bytes"] + found["reserved_bytes"]
    limit = args.memory << 20
    low, high = bytes_of(2), bytes_of(6)
    micro = max(1, int(2 + (limit - low) * 4 / (high - low)))
    while bytes_of(micro) > limit:
        micro -= 1
    while bytes_of(micro + 1) <= limit:
        micro += 1
    return micro


class Job:
    """Four ranks that wait to be asked for steps."""

    def __init__(self, network, tensor, stage, micro, accumulation=1):
        command = [DS, "bench", "step", "--on-request", "--layers", str(args.layers), "--channels", str(args.channels),
                   "--heads", str(args.heads), "--vocabulary", str(args.vocabulary), "--seq", str(args.seq), "--dtype",
                   args.dtype, "--micro-batch", str(micro), "--accumulation", str(accumulation), "--stage", str(stage),
                   "--tensor-parallel", str(tensor)]
        self.sequences = micro * accumulation * RANKS // tensor
        secret, cores = secrets.token_hex(32), os.cpu_count() or 1
        self.processes = []
        for rank in range(RANKS):
            place = {"RANK": str(rank), "WORLD_SIZE": str(RANKS), "LOCAL_RANK": "0", "MASTER_PORT": "29511",
                     "MASTER_ADDR": network.address(0), "DS_SECRET": secret}
            bound = ["ip", "netns", "exec", network.names[rank], "taskset", "-c", str(rank % min(cores, 2))] + command
            self.processes.append(subprocess.Popen(bound, env={**os.environ, **place}, stdin=subprocess.PIPE,
                                                   stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL, text=True))
        atexit.register(self.kill)
        self.expect()

    def kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()

    def expect(self):
        line = self.processes[0].stdout.readline().strip()
        if not line:
            sys.exit("a rank has ended; its output says why")
        return line

    def step(self):
        for process in self.processes:
            process.stdin.write("step\n")
            process.stdin.flush()
        return float(self.expect())

    def seconds(self, count):
        return statistics.median(self.step() for _ in range(count))

    def end(self):
        for process in self.processes:
            process.stdin.close()
        line = json.loads(self.processes[0].stdout.read().strip().splitlines()[-1])
        if any(process.wait() for process in self.processes):
            sys.exit(f"ranks ended with {[process.returncode for process in self.processes]}")
        return line


def limit(network, rate):
    """Sets every link to so many bytes a second, each way."""
    burst = max(64 << 10, int(rate * 0.002))
    for h, name in enumerate(network.names):
        for namespace, device in ((name, "eth0"), (network.switch, f"p{h}")):
            run("ip", "netns", "exec", namespace, "tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate",
                f"{int(rate * 8)}bit", "burst", str(burst), "latency", "20ms")


def sweep(network, rates, name, tensor, stage, micro, accumulation=1):
    """Steps without a limit, then at every rate."""
    limit(network, UNLIMITED)
    job = Job(network, tensor, stage, micro, accumulation)
    for _ in range(args.warmup):
        job.step()  # until the compiler is done: the rate of the links is chosen by what follows
    free = job.seconds(args.steps + 1)
    rates = rates(free) if callable(rates) else rates
    points = []
    for rate in rates:
        limit(network, rate)
        seconds = job.seconds(args.steps)
        points.append({"bytes_per_second": round(rate), "seconds": seconds, "sequences_per_second": job.sequences / seconds})
    limit(network, UNLIMITED)
    line = job.end()
    result = {"tensor_parallel": tensor, "stage": stage, "micro_batch": micro, "accumulation": accumulation,
              "sequences": job.sequences, "unlimited_seconds": free, "points": points,
              "bytes_sent_per_step": line["bytes_sent_per_step"], "parameters": line["parameters"],
              "peak_bytes": max(line["ranks_peak_bytes"]), "resident_bytes": max(line["ranks_max_rss_bytes"]),
              "loss": line["loss"]}
    print(name, json.dumps(result), flush=True)
    return result, rates


def measure(tp, dp1, dp2):
    sent = plan(4, 0, tp)["bytes_sent_per_step"]
    runs = {}
    with Network(RANKS, "10gbit") as network:
        runs["tensor"], rates = sweep(network, lambda free: [f * sent / (free * CLAIM) for f in FACTORS], "tensor", 4, 0, tp)
        chosen = rates[FACTORS.index(1)]
        runs["zero1"], _ = sweep(network, rates, "zero1", 1, 1, dp1)
        runs["zero2"], _ = sweep(network, [chosen], "zero2", 1, 2, dp2)
        runs["zero1 equal"], _ = sweep(network, [chosen], "zero1 equal", 1, 1, max(1, tp // RANKS))
        runs["tensor accumulated"], _ = sweep(network, [chosen], "tensor accumulated", 4, 0, tp, args.accumulation)
        runs["zero1 accumulated"], _ = sweep(network, [chosen], "zero1 accumulated", 1, 1, dp1, args.accumulation)
    return {"command": " ".join(sys.argv[1:]), "memory_mib": args.memory, "layers": args.layers, "channels": args.channels,
            "seq": args.seq, "dtype": args.dtype, "vocabulary": args.vocabulary, "chosen_bytes_per_second": round(chosen),
            "runs": runs}


if args.batches:
    batches = [int(part) for part in args.batches.split(",")]
else:
    batches = [largest(4, 0), largest(1, 1), largest(1, 2)]
print("micro-batches:", ",".join(map(str, batches)), flush=True)
if not args.plan_only:
    require()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))  # so that ranks and namespaces are removed
    results = measure(*batches)
    os.makedirs(args.output, exist_ok=True)
    with open(os.path.join(args.output, args.name + ".json"), "w", encoding="utf-8") as out_file:
        json.dump(results, out_file, indent=1)
        out_file.write("\n")
    subprocess.run([sys.executable, os.path.join(HERE, "tensor_parallel_page.py"), args.output, args.name], check=True)
