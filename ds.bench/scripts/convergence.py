#!/usr/bin/env python3
"""The quick start's training with compressed communication: validation losses beside the same training without it.

Trains the quick start's model on its text, once for each run and seed, and prints what `ds train` says of the validation set. Every
run is compared with the uncompressed one of its stage and seed. Build ds first.

    python3 ds.bench/scripts/convergence.py --seeds 1234,1,2
    python3 ds.bench/scripts/convergence.py --ranks 2 --runs plain,weights,gradients --steps 300
    python3 ds.bench/scripts/convergence.py --ranks 2 --runs adamw,onebit,zeroone,zeroone-local
"""
import argparse
import json
import pathlib
import re
import statistics
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


def adam(optimizer, **keys):
    """An optimizer of stage 0, with the quick start's own keys and these."""
    return {"stage": 0}, {"type": optimizer, "params": keys}


# Name: what it is, the run that it is compared with, keys of zero_optimization, optimizer. "@FIFTH@" is a fifth of the steps.
RUNS = {
    "plain": ("stage 3", None, ZERO, {}),
    "weights": ("weights in 8 bits", "plain", ZERO | WEIGHTS, {}),
    "gradients": ("gradients in 4 bits", "plain", ZERO | GRADIENTS, {}),
    "zeropp": ("ZeRO++", "plain", ZERO | WEIGHTS | GRADIENTS | {"zero_hpz_partition_size": "@PER_HOST@"}, {}),
    "adamw": ("AdamW, stage 0", None, *adam("AdamW")),
    "onebit": ("1-bit Adam", "adamw", *adam("OneBitAdam", freeze_step="@FIFTH@")),
    "zeroone": ("0/1 Adam", "adamw", *adam("ZeroOneAdam", var_freeze_step="@FIFTH@", var_update_scaler="@FIFTH@")),
    "zeroone-local": ("0/1 Adam, exchanges at every other update", "adamw",
                      *adam("ZeroOneAdam", var_freeze_step="@FIFTH@", var_update_scaler="@FIFTH@", local_step_scaler="@FIFTH@",
                            local_step_clipper=2)),
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--runs", default="plain,zeropp", help=f"of {', '.join(RUNS)}; a run needs the one that it is compared with before it")
parser.add_argument("--ranks", type=int, default=4)
parser.add_argument("--ranks-per-host", type=int, default=2, help="how many count as one host; default 2")
parser.add_argument("--steps", type=int, default=600)
parser.add_argument("--seeds", default="1234", help="of weights and of the order of the text, separated by commas; default 1234")
parser.add_argument("--output", default="", help="file for the results, as JSON, written anew after every run")
args = parser.parse_args()


def filled(value):
    """A value of the tables above, for these arguments."""
    if isinstance(value, dict):
        return {key: filled(inner) for key, inner in value.items()}
    return {"@PER_HOST@": args.ranks_per_host, "@FIFTH@": args.steps // 5}.get(value, value) if isinstance(value, str) else value


def train(name, seed, folder):
    """Returns the validation loss after the last step."""
    text = re.sub(r"^\s*//.*$", "", TEMPLATE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    config = json.loads(text.replace('"@CORPUS@"', json.dumps(str(CORPUS))))
    _, _, zero, optimizer = RUNS[name]
    config["zero_optimization"] = filled(zero)
    if optimizer:
        config["optimizer"]["type"] = optimizer["type"]
        config["optimizer"]["params"] |= filled(optimizer["params"])
    config["ds"] |= {"seed": seed, "collective_timeout_seconds": 3600}  # a busy machine is no failure
    if zero["stage"] == 3:
        config["ds"]["ranks_per_host"] = args.ranks_per_host
    config["ds"]["train"] = {"steps": args.steps, "evaluate_every": args.steps}
    file = folder / f"{name}-{seed}.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    command = [str(ROOT / "ds"), "launch", "--ranks", str(args.ranks), "--", "train", "--config", str(file), "--out", str(folder / file.stem)]
    out = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.findall(r"validation loss:? ([0-9.]+) nats", out.stdout + out.stderr)
    if out.returncode or not found:
        sys.exit(f"{' '.join(command)} failed ({out.returncode}):\n{out.stderr[-3000:]}")
    return float(found[-1])


def row(name, losses):
    """A line of the table, with the differences from the uncompressed run and their mean."""
    label, base, _, _ = RUNS[name]
    values = ", ".join(f"{loss:.4f}" for loss in losses[name])
    if base is None:
        return f"| {label} | {values} | | |"
    differences = [100 * (loss / plain - 1) for loss, plain in zip(losses[name], losses[base])]
    return f"| {label} | {values} | {', '.join(f'{d:+.2f}' for d in differences)} | {statistics.mean(differences):+.2f} |"


names, seeds = args.runs.split(","), [int(seed) for seed in args.seeds.split(",")]
for i, name in enumerate(names):
    if name not in RUNS:
        sys.exit(f"--runs: no run {name}; there are {', '.join(RUNS)}")
    if RUNS[name][1] not in [None, *names[:i]]:
        sys.exit(f"--runs: {name} is compared with {RUNS[name][1]}, which has to stand before it")
if not CORPUS.is_file():
    sys.exit(f"{CORPUS}: not there; build ds first: ./mvnw package -DskipTests")
losses = {name: [] for name in names}
with tempfile.TemporaryDirectory() as temporary:
    for seed in seeds:
        for name in names:
            losses[name].append(train(name, seed, pathlib.Path(temporary)))
            print(f"seed {seed}, {name}: {losses[name][-1]:.4f}", file=sys.stderr, flush=True)
            if args.output:
                pathlib.Path(args.output).write_text(json.dumps({
                    "ranks": args.ranks, "ranks_per_host": args.ranks_per_host, "steps": args.steps, "seeds": seeds, "losses": losses},
                    indent=1) + "\n", encoding="utf-8")
print(f"{args.ranks} ranks, {args.steps} steps, seeds {args.seeds}, nats per token\n\n"
      "| run | validation losses, by seed | beside the uncompressed one, % | mean, % |\n|---|---|---|---|")
for name in names:
    print(row(name, losses))
