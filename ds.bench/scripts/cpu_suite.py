#!/usr/bin/env python3
"""Steps of GPT-2 124M beside PyTorch and beside the best matrix product, all in turns on one otherwise idle machine.

    python3 ds.bench/scripts/cpu_suite.py --out ds.bench/results            # everything
    python3 ds.bench/scripts/cpu_suite.py --out ds.bench/results --quick    # 4x256 alone, 3 turns: minutes
    python3 ds.bench/scripts/cpu_suite.py --out ds.bench/results --cells one:bf16 --render

A cell is what is compared with each other: `one:fp32:4x256` is one rank on all cores beside PyTorch, eager and compiled;
`ranks:bf16:stage2` is one rank for each core, 2x256 each, beside one rank with all cores on the same global batch, and beside
PyTorch's DistributedDataParallel with ZeroRedundancyOptimizer. The programs of a cell are started one after the other, warm up,
and then take turns: one step each, as many rounds as --turns says. ds warms up for 16 steps, since the Java machine compiles what
runs once a layer after some 15 of them; PyTorch warms up for 2. They sleep between their turns, of which each begins 0.3 s after
the one before has ended.

Every cell goes into cpu_suite.json at once, replacing an older one of its name; cpu_suite.md and cpu_suite.png are made of all
cells in it. Needs torch and transformers in the Python that runs it, and matplotlib for the plot.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import socket
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
DS = HERE.parents[1] / "ds"
MODEL = "gpt2-124m"
WARM_UP = 16  # steps of ds
PAUSE = 0.3  # seconds before a turn, in which threads of the program before that still spin go to sleep
SHAPES = {"4x64": (4, 64), "4x256": (4, 256), "1x1024": (1, 1024)}
RANK_SHAPE = (2, 256)

# What is aimed at: of the best product; of PyTorch's speed, eager and compiled. For ranks: of one rank with all cores, of DDP.
GOALS = {"fp32": {"rate": 0.88, "eager": 1.1, "compiled": 1.0, "ddp": 1.45},
         "bf16": {"rate": 0.80, "eager": 1.25, "compiled": 1.1, "ddp": 1.6}}
STAGE_GOAL = {1: 0.92, 2: 0.92, 3: 0.88}
MEMORY_GOAL = 0.8


def processors():
    return len(os.sched_getaffinity(0))


class Program:
    """One or more processes that take steps when they are asked to, all ranks of one job together."""

    def __init__(self, name, command, ranks=1):
        self.name = name
        self.seconds = []
        self.processes = [self.start(command, rank, ranks) for rank in range(ranks)]
        for process in self.processes:
            self.expect(process, "ready")

    def start(self, command, rank, ranks):
        environment = dict(os.environ)
        if ranks > 1:
            if rank == 0:
                with socket.socket() as free:
                    free.bind(("127.0.0.1", 0))
                    self.port = str(free.getsockname()[1])
            environment |= {"RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(ranks),
                            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": self.port, "DS_SECRET": "a secret of this machine alone",
                            "JDK_JAVA_OPTIONS": f"-XX:ActiveProcessorCount={max(1, processors() // ranks)}"}
        return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def expect(self, process, word=None):
        for line in process.stdout:
            line = line.strip()
            if word is None or line == word:
                return line
        raise RuntimeError(f"{self.name} ended: {process.stderr.read()[-2000:]}")

    def ask(self, request):
        for process in self.processes:
            process.stdin.write(request + "\n")
            process.stdin.flush()
        return [float(self.expect(process)) for process in self.processes]

    def step(self):
        time.sleep(PAUSE)
        self.seconds.append(max(self.ask("step")))

    def rate(self):
        return self.ask("rate")[0]

    def close(self):
        """Returns what the first rank says of itself, with the resident sets of all."""
        for process in self.processes:
            process.stdin.close()
        results = []
        for process in self.processes:
            lines = [line for line in process.stdout if line.startswith("{")]
            process.wait(timeout=120)
            results.append(json.loads(lines[-1]) if lines else {})
        result = results[0]
        if "ranks_max_rss_bytes" not in result:
            result["ranks_max_rss_bytes"] = [each["max_rss_bytes"] for each in results]
        return result | {"turn_seconds": self.seconds, "median_seconds": statistics.median(self.seconds)}

    def kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()


def ours(ds, dtype, shape, ranks=1, stage=0):
    return Program("ds", [ds, "bench", "step", "--model", MODEL, "--micro-batch", str(shape[0]), "--seq", str(shape[1]), "--dtype",
                          dtype, "--stage", str(stage), "--warm-up", str(WARM_UP), "--on-request"], ranks)


def peer(dtype, shape, ranks=1, compiled=False):
    return Program("pytorch", [sys.executable, str(HERE / "pytorch_step.py"), "--model", MODEL, "--micro-batch", str(shape[0]),
                               "--seq", str(shape[1]), "--dtype", dtype, "--threads", str(max(1, processors() // ranks)),
                               "--on-request"] + (["--compile"] if compiled else []), ranks)


def measure(starts, turns, rates):
    """Starts the programs, lets them take turns, and returns what each says of itself; rates: who measures the best product."""
    programs, best = {}, {}
    try:
        for name, start in starts.items():
            programs[name] = start()
        for turn in range(turns):
            for program in programs.values():
                program.step()
            for name in rates:
                best.setdefault(name, []).append(programs[name].rate())
        results = {name: program.close() for name, program in programs.items()}
    finally:
        for program in programs.values():
            program.kill()
    return results, {name: statistics.median(values) for name, values in best.items()}


def one_rank(ds, dtype, shape, turns):
    results, rates = measure({"ds": lambda: ours(ds, dtype, shape), "eager": lambda: peer(dtype, shape),
                              "compiled": lambda: peer(dtype, shape, compiled=True)}, turns, ["ds", "eager"])
    return {"programs": results, "best_product_flops_per_second": rates}


def many_ranks(ds, dtype, stage, turns):
    ranks, shape = processors(), RANK_SHAPE
    results, _ = measure({"ds": lambda: ours(ds, dtype, shape, ranks, stage),
                          "one_rank": lambda: ours(ds, dtype, (shape[0] * ranks, shape[1])),
                          "ddp": lambda: peer(dtype, shape, ranks)}, turns, [])
    return {"programs": results}


def cells(quick):
    found = {}
    for dtype in GOALS:
        for name, shape in SHAPES.items():
            if not quick or name == "4x256":
                found[f"one:{dtype}:{name}"] = lambda ds, turns, d=dtype, s=shape: one_rank(ds, d, s, turns)
    if processors() > 1:
        for dtype in GOALS:
            for stage in STAGE_GOAL:
                if not quick or stage == 2:
                    found[f"ranks:{dtype}:stage{stage}"] = lambda ds, turns, d=dtype, s=stage: many_ranks(ds, d, s, turns)
    return found


def mark(value, goal, text, most=False):
    return f"{text}{'' if (value <= goal if most else value >= goal) else ' **✗**'}"


def row(name, cell):
    """Values of a cell by column, each (value, goal, whether the goal is a most)."""
    kind, dtype, what = name.split(":")
    goals, programs = GOALS[dtype], cell["programs"]
    own = programs["ds"]
    if kind == "one":
        rate = max(cell["best_product_flops_per_second"].values())
        fraction = own["model_flops_per_second_of_turns"] / rate
        return {"of product": (fraction, goals["rate"] if what == "4x256" else 0, False),
                "of eager": (programs["eager"]["median_seconds"] / own["median_seconds"], goals["eager"], False),
                "of compiled": (programs["compiled"]["median_seconds"] / own["median_seconds"], goals["compiled"], False)}
    values = {"of one rank": (programs["one_rank"]["median_seconds"] / own["median_seconds"], STAGE_GOAL[int(what[-1])], False),
              "of DDP": (programs["ddp"]["median_seconds"] / own["median_seconds"], goals["ddp"] if what != "stage3" else 0, False)}
    memory = max(own["ranks_max_rss_bytes"]) / max(programs["ddp"]["ranks_max_rss_bytes"])
    values["memory of DDP"] = (memory, MEMORY_GOAL if what == "stage1" else 9, True)
    return values


def table(suite):
    lines = [f"# Steps of {MODEL} on the CPU", "", suite_line(suite), "",
             "Medians of the turns, least and most in brackets. A ratio above 1 says that ds is faster; **✗** misses the goal.",
             "`of product`: model FLOP/s divided by the rate of the best matrix product, ds's or PyTorch's, of the same run.", ""]
    one = {name: cell for name, cell in suite["cells"].items() if name.startswith("one:")}
    many = {name: cell for name, cell in suite["cells"].items() if name.startswith("ranks:")}
    if one:
        lines += ["| one rank, all cores | turns | ds, s | GFLOP/s | best product, GFLOP/s | of product | eager, s | of eager | compiled, s | of compiled |",
                  "|---|---|---|---|---|---|---|---|---|---|"]
        for name, cell in one.items():
            values, programs = row(name, cell), cell["programs"]
            rate = max(cell["best_product_flops_per_second"].values())
            lines.append(f"| {name[4:]} | {cell['turns']} | {spread(programs['ds'])} | {programs['ds']['model_flops_per_second_of_turns'] * 1e-9:.1f} "
                         f"| {rate * 1e-9:.1f} | {percent(values['of product'])} | {spread(programs['eager'])} | {ratio(values['of eager'])} "
                         f"| {spread(programs['compiled'])} | {ratio(values['of compiled'])} |")
        lines.append("")
    if many:
        lines += [f"| {suite['processors']} ranks of one core, {RANK_SHAPE[0]}x{RANK_SHAPE[1]} each | turns | ds, s | one rank, s | of one rank "
                  "| DDP + ZeRO, s | of DDP | ds resident, MB | DDP resident, MB | memory of DDP |", "|---|---|---|---|---|---|---|---|---|---|"]
        for name, cell in many.items():
            values, programs = row(name, cell), cell["programs"]
            lines.append(f"| {name[6:]} | {cell['turns']} | {spread(programs['ds'])} | {spread(programs['one_rank'])} | {percent(values['of one rank'])} "
                         f"| {spread(programs['ddp'])} | {ratio(values['of DDP'])} | {max(programs['ds']['ranks_max_rss_bytes']) * 1e-6:.0f} "
                         f"| {max(programs['ddp']['ranks_max_rss_bytes']) * 1e-6:.0f} | {ratio(values['memory of DDP'])} |")
        lines.append("")
    return "\n".join(lines)


def suite_line(suite):
    return f"{suite['processors']} cores of {suite['cpu']}, {suite['date']}, {suite['peer']}, seconds of a step."


def spread(program):
    turns = program["turn_seconds"]
    return f"{program['median_seconds']:.3f} [{min(turns):.3f}, {max(turns):.3f}]"


def percent(value):
    return mark(*value[:2], f"{100 * value[0]:.1f} %", value[2])


def ratio(value):
    return mark(*value[:2], f"{value[0]:.2f}", value[2])


def plot(suite, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(13, 4.5), width_ratios=[3, 3])
    colours = {"ds": "#1f77b4", "eager": "#ff7f0e", "compiled": "#d6a86b", "one_rank": "#9ecae1", "ddp": "#ff7f0e"}
    for axis, kind, title in ((axes[0], "one:", "one rank, all cores"), (axes[1], "ranks:", "one rank for each core")):
        found = {name: cell for name, cell in suite["cells"].items() if name.startswith(kind)}
        for at, cell in enumerate(found.values()):
            programs = cell["programs"]
            for i, (name, program) in enumerate(programs.items()):
                speed = [1 / seconds * programs["ds"]["flops_of_step"] * 1e-9 for seconds in program["turn_seconds"]]
                middle = statistics.median(speed)
                axis.bar(at + (i - 1) * 0.27, middle, 0.25, color=colours[name], label=name if at == 0 else None,
                         yerr=[[middle - min(speed)], [max(speed) - middle]], capsize=2)
            if "best_product_flops_per_second" in cell:
                rate = max(cell["best_product_flops_per_second"].values()) * 1e-9
                axis.hlines(rate, at - 0.4, at + 0.4, color="black", linestyle="--", label="best product" if at == 0 else None)
        axis.set_xticks(range(len(found)), [name.split(":", 1)[1].replace(":", "\n") for name in found])
        axis.set_ylabel("model GFLOP/s")
        axis.set_title(title)
        if found:
            axis.legend(fontsize=8, loc="upper left")
    figure.suptitle(f"{MODEL}, {suite['processors']} cores of {suite['cpu']}")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def cpu_name():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def model_flops(cell_name, programs):
    """FLOPs of one step of all ranks, as ds's own line has them."""
    own = programs["ds"]
    return own["model_flops_per_second"] * own["step_seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "results", help="folder; default %(default)s")
    parser.add_argument("--cells", default="", help="only cells whose name begins so, separated by commas")
    parser.add_argument("--turns", type=int, help="steps of each program in a cell; default 7, with --quick 3")
    parser.add_argument("--quick", action="store_true", help="4x256 and stage 2 alone, 3 turns")
    parser.add_argument("--render", action="store_true", help="measure nothing: make table and plot of cpu_suite.json again")
    parser.add_argument("--list", action="store_true", help="name the cells")
    parser.add_argument("--ds", default=str(DS), help="the command to run; default %(default)s")
    args = parser.parse_args()

    turns = args.turns or (3 if args.quick else 7)
    wanted = {name: run for name, run in cells(args.quick).items() if name.startswith(tuple(args.cells.split(",")))}
    if args.list:
        print("\n".join(wanted))
        return
    if not wanted:
        parser.error(f"--cells {args.cells}: no such cell; there are {', '.join(cells(args.quick))}")
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "cpu_suite.json"
    suite = json.loads(file.read_text()) if file.exists() else {"cells": {}}
    if not args.render:
        subprocess.run([args.ds, "info"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # builds, if need be
        for name, run in wanted.items():
            print(f"{name}: {turns} turns", flush=True)
            cell = run(args.ds, turns)
            flops = model_flops(name, cell["programs"])
            for program in cell["programs"].values():
                program["flops_of_step"] = flops
                program["model_flops_per_second_of_turns"] = flops / program["median_seconds"]
            suite["cells"][name] = {"turns": turns} | cell
            first = next(each for key, each in cell["programs"].items() if key in ("eager", "ddp"))
            suite |= {"model": MODEL, "processors": processors(), "cpu": cpu_name(), "peer": first["peer"].split(" compiled")[0].split(" DDP")[0],
                      "date": datetime.date.today().isoformat()}
            order = [each for each in cells(False) if each in suite["cells"]]
            suite["cells"] = {each: suite["cells"][each] for each in order}
            file.write_text(json.dumps(suite, indent=1) + "\n")
            for what, value in row(name, cell).items():
                print(f"  {what}: {value[0]:.3f}" + (f" (goal {'at most ' if value[2] else ''}{value[1]})" if 0 < value[1] < 9 else ""),
                      flush=True)
    if not suite["cells"]:
        parser.error(f"{file} has no cells yet; measure first")
    (args.out / "cpu_suite.md").write_text(table(suite))
    try:
        plot(suite, args.out / "cpu_suite.png")
    except ImportError as e:
        print(f"no plot: {e}; install matplotlib and run again with --render", file=sys.stderr)


if __name__ == "__main__":
    main()
