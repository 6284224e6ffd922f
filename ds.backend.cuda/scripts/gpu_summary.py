#!/usr/bin/env python3
"""Puts together what on_gpu.sh has measured.

  gpu_summary.py OUT                 a table of the folder's results
  gpu_summary.py --same A.json B.json  whether two runs of `ds bench step` had the same losses and norms, bit for bit
  gpu_summary.py --chosen PLAN.json  keys of a configuration with the first states of a plan's "state_places"
"""
import json
import pathlib
import sys


def read(path):
    """The last line of JSON in a file, or None."""
    try:
        text = pathlib.Path(path).read_text()
    except OSError:
        return None
    for candidate in (text, *reversed(text.splitlines())):
        try:
            return json.loads(candidate)
        except ValueError:
            pass
    return None


def same(first, second):
    a, b = read(first), read(second)
    if not a or not b:
        sys.exit("a run is missing")
    for key in ("all_losses", "gradient_norm"):
        if a[key] != b[key]:
            sys.exit(f"NOT the same {key}: {a[key]} and {b[key]}")
    print(f"the same {len(a['all_losses'])} losses and the same last norm, bit for bit: {a['all_losses'][-1]}")


def chosen(plan):
    places = (read(plan) or {}).get("state_places", [])
    if not places:
        sys.exit("the plan has no states that fit")
    place = places[0]
    offload = {"device": "cpu", "ratio": place["ratio"]} if place["ratio"] else {"device": "none"}
    print(json.dumps({
        "zero_optimization": {"stage": place["stage"], "offload_optimizer": offload},
        "ds": {"states": {"master_weights": place["master_weights"], "optimizer_states": place["optimizer_states"]},
               "checkpoint_every": 1}}))


def rate(out):
    """FLOP/s of the best BF16 product: of the breakdown, by our own products, or of PyTorch's."""
    breakdown = read(out / "breakdown.json")
    if breakdown:
        return breakdown["limits"]["products_flops_per_second"].get("BF16"), "ds"
    peers = [found for found in (read(out / f"torch{n}.json") for n in (124, 1558)) if found]
    return (max(peer["best_product_flops_per_second"] for peer in peers), "PyTorch") if peers else (None, "")


def table(out):
    best, whose = rate(out)
    if best:
        print(f"best BF16 product of these runs ({whose}): {best / 1e12:.1f} TFLOP/s")
    for size in (124, 1558):
        ours, theirs = read(out / f"bench{size}.json"), read(out / f"torch{size}.json")
        for name, run in (("ds", ours), ("PyTorch", theirs)):
            if run:
                share = f", {100 * run['model_flops_per_second'] / best:.1f} % of the best product" if best else ""
                peak = run["peak_bytes"]["total"] if isinstance(run["peak_bytes"], dict) else run["peak_bytes"]
                print(f"{size}M {name}: {run['step_seconds'] * 1e3:.1f} ms ({run['step_seconds_min'] * 1e3:.1f} to "
                      f"{run['step_seconds_max'] * 1e3:.1f}), {run['tokens_per_second']:.0f} tokens/s{share}, "
                      f"{run['micro_batch']}x{run['seq']} tokens, peak {peak / 2 ** 30:.1f} GiB")
        if ours and theirs:
            print(f"{size}M: {theirs['step_seconds'] / ours['step_seconds']:.2f} times {theirs['peer']}")
    ours = read(out / "bench124.json")
    for name, what in (("epilogue", "without GELU epilogues"), ("products", "with the fastest of 8 algorithms for each product"),
                       ("warps", "with attention by warps")):
        other = read(out / f"{name}.json")
        if other and ours:
            print(f"124M {what}: {other['step_seconds'] * 1e3:.1f} ms with {other['keys']}, {ours['step_seconds'] * 1e3:.1f} ms with {ours['keys']}")
    breakdown = read(out / "breakdown.json")
    if breakdown:
        watched = breakdown["limits"]["call_overhead_seconds"]
        print(f"kernels of over 2 % of the step below 60 % of their limit, {watched * 1e6:.1f} us of each call taken off:")
        for kernel in breakdown["kernels"]:
            seconds = max(1e-9, kernel["seconds"] - kernel["calls"] * watched)
            limit = kernel["fraction_of_limit"] * kernel["seconds"] / seconds
            if kernel["fraction_of_step"] > 0.02 and limit < 0.6:
                print(f"  {kernel['phase']} {kernel['kernel']} {kernel['operands']}: {100 * kernel['fraction_of_step']:.1f} % of the "
                      f"step, {100 * limit:.0f} % of {kernel['limit']}")
    big = read(out / "train17b.json")
    if big:
        print(f"turing-nlg-17b: step {big['step_seconds']:.2f} s, losses {big['all_losses']}, GPU peak "
              f"{big['peak_bytes']['total'] / 1e9:.1f} GB, process {big['ranks_max_rss_bytes'][0] / 1e9:.1f} GB")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--same", first, second]:
            same(first, second)
        case ["--chosen", plan]:
            chosen(plan)
        case [folder]:
            table(pathlib.Path(folder))
        case _:
            sys.exit(__doc__)
