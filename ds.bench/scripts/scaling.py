#!/usr/bin/env python3
"""Whether a step's time is linear in layers and in sequences: least squares through several sizes, and the largest deviation.

    python3 ds.bench/scripts/scaling.py --dtype fp32 --turns 5

All sizes take turns (see cpu_suite.py); prints one JSON line. Memory is not measured here: MemoryScalingTest asserts it.
"""
import argparse
import json
import statistics

from cpu_suite import DS, MODEL, Program

LAYERS = [2, 4, 8, 12]
SEQUENCES = [1, 2, 4, 6]


def line(points):
    """{x: seconds} to (seconds at 0, seconds for each, largest relative deviation)."""
    slope, start = statistics.linear_regression(list(points), list(points.values()))
    return start, slope, max(abs(seconds / (start + slope * x) - 1) for x, seconds in points.items())


def measure(args, name, sizes, options):
    programs = {}
    try:
        for size in sizes:
            programs[size] = Program(f"{name} {size}", [args.ds, "bench", "step", "--model", MODEL, "--seq", str(args.seq), "--dtype",
                                                        args.dtype, "--on-request"] + options(size))
        for turn in range(args.turns):
            for program in programs.values():
                program.step()
        points = {size: program.close()["median_seconds"] for size, program in programs.items()}
    finally:
        for program in programs.values():
            program.kill()
    start, slope, deviation = line(points)
    return {"seconds": points, "seconds_at_0": start, "seconds_for_each": slope, "largest_deviation": deviation}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--seq", type=int, default=256)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", choices=["layers", "sequences"])
    parser.add_argument("--ds", default=str(DS), help="the command to run; default %(default)s")
    args = parser.parse_args()
    result = {"model": MODEL, "dtype": args.dtype, "seq": args.seq, "turns": args.turns}
    if args.only != "sequences":
        result["layers"] = measure(args, "layers", LAYERS, lambda n: ["--layers", str(n), "--micro-batch", "4"])
    if args.only != "layers":
        result["sequences"] = measure(args, "sequences", SEQUENCES, lambda n: ["--layers", "6", "--micro-batch", str(n)])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
