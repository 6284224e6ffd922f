#!/usr/bin/env python3
"""Training steps of GPT-2 over links of limited rate, with and without compressed communication, all in turns.

Every host is a network namespace with one core, behind a link that carries so much each way (tc tbf); a rank is on each, two in group zero3.
The programs are started one after the other, warm up, and then take turns, one step each; between their turns they sleep and send nothing.
Prints a table, writes every result to compressed.json, and makes compressed.md of it. Linux, root, iproute2.

    python3 ds.bench/scripts/compressed.py --out ds.bench/results
    python3 ds.bench/scripts/compressed.py --out ds.bench/results --groups adam --turns 5 --dtype fp32
    python3 ds.bench/scripts/compressed.py --out ds.bench/results --render
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import secrets
import statistics
import subprocess
import sys

from network import Network, require

HERE = pathlib.Path(__file__).resolve().parent
DS = HERE.parents[1] / "ds"

CODES = {"zero_quantized_weights": True, "zero_quantized_gradients": True}

# What is measured: a name for tables, the ZeRO stage, and what is put over the configuration. Steps that are not measured are two:
# freeze_step is 1, so that the second one is compressed already.
RUNS = {
    "adamw": ("AdamW, {dtype} gradients", 0, {}),
    "onebit": ("1-bit Adam, compressed phase", 0, {"optimizer": {"type": "OneBitAdam", "params": {"freeze_step": 1}}}),
    "zeroone": ("0/1 Adam, exchanges at every other update", 0,
                {"optimizer": {"type": "ZeroOneAdam", "params": {"var_freeze_step": 1, "local_step_scaler": 1, "local_step_clipper": 2}}}),
    "stage3": ("stage 3, {dtype}", 3, {}),
    "codes": ("stage 3, weights in 8 and gradients in 4 bits", 3, {"zero_optimization": CODES}),
    "zeropp": ("ZeRO++: and secondary shards in the host", 3, {"zero_optimization": CODES | {"zero_hpz_partition_size": 2}}),
}
# What takes turns; the first of a group is what its others are compared with.
GROUPS = {"adam": ["adamw", "onebit", "zeroone"], "zero3": ["stage3", "codes", "zeropp"]}
# How many ranks a host has: secondary shards need two.
PER_HOST = {"zero3": 2}


class Program:
    """Ranks on every host; all take a step when they are asked to."""

    def __init__(self, name, network, arguments, port, per_host):
        self.name, self.seconds = name, []
        _, stage, more = RUNS[name]
        secret, cores = secrets.token_hex(32), sorted(os.sched_getaffinity(0))
        self.processes = []
        for rank in range(per_host * len(network.names)):
            host = rank // per_host
            place = {"RANK": str(rank), "WORLD_SIZE": str(per_host * len(network.names)), "LOCAL_RANK": str(rank % per_host),
                     "MASTER_PORT": str(port), "MASTER_ADDR": network.address(0), "DS_SECRET": secret}
            command = ["ip", "netns", "exec", network.names[host], "taskset", "-c", str(cores[host % len(cores)]), str(DS), "bench", "step", "--model",
                       arguments.model, "--micro-batch", str(arguments.micro_batch), "--seq", str(arguments.seq), "--dtype",
                       arguments.dtype, "--stage", str(stage), "--on-request", "--keys", json.dumps(more)]
            for option in ("layers", "channels", "heads"):
                if getattr(arguments, option):
                    command += [f"--{option}", str(getattr(arguments, option))]
            self.processes.append(subprocess.Popen(command, env={**os.environ, **place}, stdin=subprocess.PIPE,
                                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        for process in self.processes:
            self.expect(process, "ready")

    def expect(self, process, word=None):
        for line in process.stdout:
            if word is None or line.strip() == word:
                return line.strip()
        raise RuntimeError(f"{self.name} ended: {process.stderr.read()[-2000:]}")

    def step(self):
        for process in self.processes:
            process.stdin.write("step\n")
            process.stdin.flush()
        self.seconds.append(max(float(self.expect(process)) for process in self.processes))

    def close(self):
        """Returns what the first rank says of itself."""
        for process in self.processes:
            process.stdin.close()
        lines = [line for line in self.processes[0].stdout if line.startswith("{")]
        for process in self.processes:
            process.wait(timeout=120)
        return json.loads(lines[-1]) | {"turn_seconds": self.seconds, "median_seconds": statistics.median(self.seconds)}

    def kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()


def measure(arguments, group):
    programs = {}
    with Network(arguments.hosts, arguments.rate) as network:
        link = network.payload_rate()
        try:
            for number, name in enumerate(GROUPS[group]):
                programs[name] = Program(name, network, arguments, 29600 + number, PER_HOST.get(group, 1))
            for _ in range(arguments.turns):
                for program in programs.values():
                    program.step()
            results = {name: program.close() for name, program in programs.items()}
        finally:
            for program in programs.values():
                program.kill()
    return {"group": group, "hosts": arguments.hosts, "ranks_per_host": PER_HOST.get(group, 1), "rate": arguments.rate,
            "link_bytes_per_second": round(link), "dtype": arguments.dtype,
            "micro_batch": arguments.micro_batch, "seq": arguments.seq, "turns": arguments.turns,
            "date": datetime.date.today().isoformat(), "processor": platform.processor() or platform.machine(), "programs": results}


def cell_name(arguments, group):
    shape = "-".join(str(getattr(arguments, o)) for o in ("layers", "channels") if getattr(arguments, o))
    return ":".join([group, arguments.model + (f"({shape})" if shape else ""), arguments.dtype, f"{arguments.hosts} hosts", arguments.rate])


def table(cell):
    programs = cell["programs"]
    lines = ["| program | step s | times as fast | sent MB a rank and step | MB out of all hosts a step | compute s | exposed s | hidden s |",
             "|---|---|---|---|---|---|---|---|"]
    first = next(iter(programs.values()))
    for name, result in programs.items():
        parts = result["mean_step_seconds"]
        faster = first["median_seconds"] / result["median_seconds"]
        lines.append("| " + " | ".join([RUNS[name][0].format(dtype=cell["dtype"]), f"{result['median_seconds']:.2f}", f"{faster:.2f}",
                                        f"{result['bytes_sent_per_step'] / 1e6:.2f}",
                                        f"{result.get('all_ranks_bytes_across_hosts_per_step', 0) / 1e6:.2f}", f"{parts['compute']:.2f}",
                                        f"{parts['exposed']:.2f}", f"{parts['hidden']:.2f}"]) + " |")
    return "\n".join(lines)


def render(folder):
    cells = json.loads((folder / "compressed.json").read_text(encoding="utf-8"))
    text = ["# Compressed communication over slow links", "",
            "Made by `ds.bench/scripts/compressed.py`: medians of steps that took turns; `times as fast` is beside a table's first row.", ""]
    for name, cell in cells.items():
        text += [f"## {name}", "", f"{cell['hosts']} hosts with a core each, ranks on each: {cell.get('ranks_per_host', 1)}, {cell['micro_batch']}x{cell['seq']}"
                 " tokens a rank,"
                 f" {cell['turns']} steps each, {next(iter(cell['programs'].values()))['parameters'] / 1e6:.1f}M parameters, one connection"
                 f" carries {cell['link_bytes_per_second'] / 1e6:.1f} MB/s.", "", table(cell), ""]
    (folder / "compressed.md").write_text("\n".join(text), encoding="utf-8")


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of compressed.json and compressed.md")
parser.add_argument("--groups", default=",".join(GROUPS), help=f"of {', '.join(GROUPS)}; default: all")
parser.add_argument("--hosts", type=int, default=2)
parser.add_argument("--rate", default="100mbit", help="of every link, each way; default 100mbit")
parser.add_argument("--model", default="gpt2-124m")
parser.add_argument("--layers", type=int)
parser.add_argument("--channels", type=int)
parser.add_argument("--heads", type=int)
parser.add_argument("--micro-batch", type=int, default=2)
parser.add_argument("--seq", type=int, default=256)
parser.add_argument("--dtype", default="bf16", choices=["fp32", "bf16"])
parser.add_argument("--turns", type=int, default=3, help="steps of each; default 3")
parser.add_argument("--render", action="store_true", help="only make compressed.md of what is there")
args = parser.parse_args()

unknown = [name for name in args.groups.split(",") if name not in GROUPS]
if unknown:
    sys.exit(f"--groups: {unknown} are none of {list(GROUPS)}")
if not args.render:
    require()
    file = args.out / "compressed.json"
    for name in args.groups.split(","):
        result = measure(args, name)
        print(table(result), flush=True)
        cells = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        cells[cell_name(args, name)] = result
        file.write_text(json.dumps(cells, indent=1) + "\n", encoding="utf-8")
render(args.out)
