#!/usr/bin/env python3
"""Training steps of GPT-2 on hosts with one core each and a limited link between them: ds, with and without overlap of
communication and compute, and PyTorch's DistributedDataParallel, all in one run.

Every host is a network namespace whose link carries so much each way (tc tbf); its rank is bound to one core. Prints a table, and
writes what every program printed as JSON. Linux, root, iproute2; PyTorch with --peer.

Example: overlap.py --python PYTHON_WITH_TORCH --peer --output ds.bench/results/overlap.json
"""
import argparse
import json
import os
import secrets
import subprocess
import sys

from network import Network, require

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--hosts", type=int, default=2)
parser.add_argument("--rate", default="1gbit", help="of every link, each way; default 1gbit")
parser.add_argument("--model", default="gpt2-124m")
parser.add_argument("--micro-batch", type=int, default=2, help="sequences of each rank; default 2")
parser.add_argument("--accumulation", type=int, default=1, help="micro-batches of a step of ds; default 1")
parser.add_argument("--seq", type=int, default=256)
parser.add_argument("--dtype", default="bf16", choices=["fp32", "bf16"])
parser.add_argument("--steps", type=int, default=4, help="measured, after three that are not; default 4")
parser.add_argument("--runs", default="1,2,3,1-,2-,3-", help="ZeRO stages; with a minus: without overlap; default %(default)s")
parser.add_argument("--peer", action="store_true", help="PyTorch's DDP too")
parser.add_argument("--python", default=sys.executable, help="that has torch")
parser.add_argument("--timeline", default="", help="folder for a Chrome trace of every run of ds")
parser.add_argument("--output", default="", help="file for all results")
args = parser.parse_args()


def job(command, network):
    """Runs a program on every host, each on a core of its own; returns the JSON line of rank 0."""
    secret, cores, processes = secrets.token_hex(32), os.cpu_count() or 1, []
    for rank in range(args.hosts):
        place = {"RANK": str(rank), "WORLD_SIZE": str(args.hosts), "LOCAL_RANK": "0", "MASTER_PORT": "29511",
                 "MASTER_ADDR": network.address(0), "DS_SECRET": secret, "GLOO_SOCKET_IFNAME": "eth0",
                 "OMP_NUM_THREADS": "1"}
        bound = ["taskset", "-c", str(rank % cores)] + command
        processes.append(subprocess.Popen(["ip", "netns", "exec", network.names[rank]] + bound, env={**os.environ, **place},
                                          stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL, text=True))
    try:
        out = processes[0].communicate()[0]
    finally:
        for process in processes[1:]:
            if processes[0].poll() != 0:
                process.kill()
    if any(p.wait() for p in processes):
        sys.exit(f"{command[0]} failed: {[p.returncode for p in processes]}")
    return json.loads([line for line in out.splitlines() if line.startswith("{")][-1])


def ours(run, network):
    stage, overlap = run.rstrip("-"), not run.endswith("-")
    command = [os.path.join(ROOT, "ds"), "bench", "step", "--model", args.model, "--micro-batch", str(args.micro_batch), "--seq",
               str(args.seq), "--dtype", args.dtype, "--steps", str(args.steps), "--stage", stage, "--accumulation",
               str(args.accumulation)]
    if not overlap:
        command.append("--no-overlap")
    if args.timeline:
        os.makedirs(args.timeline, exist_ok=True)
        name = f"stage-{stage}" + ("" if overlap else "-without-overlap") + ".json"
        command += ["--timeline", os.path.join(args.timeline, name)]
    return job(command, network)


def peer(network):
    return job([args.python, os.path.join(HERE, "pytorch_step.py"), "--model", args.model, "--micro-batch",
                str(args.micro_batch), "--seq", str(args.seq), "--dtype", args.dtype, "--steps", str(max(1, args.steps // 2)),
                "--threads", "1", "--ddp"], network)


def row(name, result):
    parts = result.get("mean_step_seconds", {})
    cells = [f"{parts[key]:.2f}" if key in parts else "" for key in ("compute", "exposed", "hidden", "idle")]
    return "| " + " | ".join([name, f"{result['step_seconds']:.2f}", f"{result['tokens_per_second']:.0f}"] + cells) + " |"


require()
results = {"arguments": {key: value for key, value in vars(args).items() if key not in ("python", "timeline", "output")}, "hosts": args.hosts, "rate": args.rate, "runs": {}}
print("| program | step s | tokens/s | compute s | exposed s | hidden s | idle s |\n|---|---|---|---|---|---|---|", flush=True)


def add(name, result):
    results["runs"][name] = result
    print(row(name, result), flush=True)


with Network(args.hosts, args.rate) as network:
    results["link_bytes_per_second"] = round(network.payload_rate())
    for run in [run for run in args.runs.split(",") if run]:
        add("ds stage " + run.rstrip("-") + (", no overlap" if run.endswith("-") else ""), ours(run, network))
    if args.peer:
        line = peer(network)
        add(line["peer"], line)
if args.output:
    with open(args.output, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
