#!/usr/bin/env python3
"""The quick start's training with compressed communication: validation losses beside the same training without it.

Trains the quick start's model on its text, once for each run, and prints what `ds train` says of the validation set. Build ds first.

    python3 ds.bench/scripts/convergence.py
    python3 ds.bench/scripts/convergence.py --ranks 2 --runs plain,weights,gradients --steps 300
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "ds.cli/src/main/resources/ds/cli/quickstart.json"
CORPUS = ROOT / "ds.cli/target/quickstart/commons-lang3-sources.jar"

# Everything is sharded, and nothing stays gathered: all weights and gradients take the way that is measured.
ZERO = {"stage": 3, "stage3_param_persistence_threshold": 0}
WEIGHTS = {"zero_quantized_weights": True}
GRADIENTS = {"zero_quantized_gradients": True}
RUNS = {
    "plain": ("stage 3", ZERO),
    "weights": ("weights in 8 bits", ZERO | WEIGHTS),
    "gradients": ("gradients in 4 bits", ZERO | GRADIENTS),
    "zeropp": ("ZeRO++", ZERO | WEIGHTS | GRADIENTS | {"zero_hpz_partition_size": "@PER_HOST@"}),
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--runs", default="plain,zeropp", help=f"of {', '.join(RUNS)}; the first one is what others are compared with")
parser.add_argument("--ranks", type=int, default=4)
parser.add_argument("--ranks-per-host", type=int, default=2, help="how many count as one host; default 2")
parser.add_argument("--steps", type=int, default=600)
parser.add_argument("--seed", type=int, default=1234)
parser.add_argument("--output", default="", help="file for the results, as JSON")
args = parser.parse_args()


def train(name, folder):
    """Returns the validation loss after the last step."""
    text = re.sub(r"^\s*//.*$", "", TEMPLATE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    config = json.loads(text.replace('"@CORPUS@"', json.dumps(str(CORPUS))))
    config["zero_optimization"] = {key: args.ranks_per_host if value == "@PER_HOST@" else value for key, value in RUNS[name][1].items()}
    config["ds"]["seed"] = args.seed
    config["ds"]["ranks_per_host"] = args.ranks_per_host
    config["ds"]["train"] = {"steps": args.steps, "evaluate_every": args.steps}
    file = folder / f"{name}.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    command = [str(ROOT / "ds"), "launch", "--ranks", str(args.ranks), "--", "train", "--config", str(file), "--out", str(folder / name)]
    out = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.findall(r"validation loss:? ([0-9.]+) nats", out.stdout + out.stderr)
    if out.returncode or not found:
        sys.exit(f"{' '.join(command)} failed ({out.returncode}):\n{out.stderr[-3000:]}")
    return float(found[-1])


if not CORPUS.is_file():
    sys.exit(f"{CORPUS}: not there; build ds first: ./mvnw package -DskipTests")
results = {}
print(f"{args.ranks} ranks, {args.ranks_per_host} to a host, {args.steps} steps, seed {args.seed}\n\n"
      "| run | validation loss, nats per token | beside the first |\n|---|---|---|", flush=True)
with tempfile.TemporaryDirectory() as temporary:
    for run in args.runs.split(","):
        results[run] = train(run, pathlib.Path(temporary))
        first = next(iter(results.values()))
        print(f"| {RUNS[run][0]} | {results[run]:.4f} | {100 * (results[run] / first - 1):+.2f} % |", flush=True)
if args.output:
    with open(args.output, "w", encoding="utf-8") as file:
        json.dump({"ranks": args.ranks, "ranks_per_host": args.ranks_per_host, "steps": args.steps, "seed": args.seed, "losses": results}, file, indent=1)
        file.write("\n")
