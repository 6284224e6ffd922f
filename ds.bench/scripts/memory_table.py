#!/usr/bin/env python3
"""Memory of ranks that train: planned, measured, and by the ZeRO paper's formulas, as a Markdown table.

    python3 ds.bench/scripts/memory_table.py --model gpt2-124m --ranks 1,2,4 --stages 0,1,2,3 --dtypes fp32,bf16

Runs `./ds bench step` for every combination, ranks as processes, and exits with 1 if a measured peak or a model state is off by
more than 1 %. "own" is what the process takes beside its tensors: Java machine, heap, libraries.
"""

import argparse
import json
import pathlib
import subprocess
import sys

DS = pathlib.Path(__file__).resolve().parents[2] / "ds"
MB = 1e-6


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gpt2-124m")
    parser.add_argument("--ranks", type=numbers, default=[1, 2, 4])
    parser.add_argument("--stages", type=numbers, default=[0, 1, 2, 3])
    parser.add_argument("--dtypes", type=lambda text: text.split(","), default=["fp32", "bf16"])
    parser.add_argument("--seq", type=int, default=128)
    parser.add_argument("--ds", default=str(DS), help="the command to run; default %(default)s")
    args = parser.parse_args()

    failed = False
    print("| dtype | ranks | stage | states, MB | paper, MB | peak, MB | planned, MB | resident, MB | own, MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for dtype in args.dtypes:
        for ranks in args.ranks:
            for stage in args.stages:
                command = [args.ds, "bench", "step", "--model", args.model, "--micro-batch", "1", "--seq", str(args.seq),
                           "--steps", "1", "--dtype", dtype, "--ranks", str(ranks), "--stage", str(stage)]
                run = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                states, paper = run["model_state_bytes"], run["model_state_bytes_of_paper"]
                planned = run["planned_bytes"]["total"]
                for rank, (peak, resident) in enumerate(zip(run["ranks_peak_bytes"], run["ranks_max_rss_bytes"])):
                    off = abs(states - paper) > 0.01 * paper or abs(peak - planned) > 0.01 * planned
                    failed |= off
                    print(f"| {dtype} | {rank + 1} of {ranks} | {stage} | {states * MB:.0f} | {paper * MB:.0f} | {peak * MB:.0f} "
                          f"| {planned * MB:.0f} | {resident * MB:.0f} | {(resident - peak) * MB:.0f} |"
                          + (" **off by more than 1 %**" if off else ""), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
