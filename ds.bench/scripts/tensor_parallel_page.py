#!/usr/bin/env python3
"""The page and the plot of tensor_parallel.json; tensor_parallel.py runs it. Arguments: the folder of results, and the file's name
without its ending."""
import json
import os
import sys

folder, stem = sys.argv[1:3]
with open(os.path.join(folder, stem + ".json"), encoding="utf-8") as file:
    found = json.load(file)
runs, chosen = found["runs"], found["chosen_bytes_per_second"]
tensor, zero1 = runs["tensor"], runs["zero1"]


def at(name, rate=chosen):
    return next(point for point in runs[name]["points"] if point["bytes_per_second"] == rate)


def speedup(name, base="tensor", rate=chosen):
    return at(name, rate)["sequences_per_second"] / at(base, rate)["sequences_per_second"]


def model(run, rate):
    """Sequences per second if bytes take their time on the link and nothing overlaps."""
    return run["sequences"] / (run["unlimited_seconds"] + run["bytes_sent_per_step"] / rate)


def crossing(a, b):
    """The rate above which the second is faster by the model; 0 where it never is."""
    low, high = 1e3, 1e12
    if model(b, high) < model(a, high):
        return 0
    while high / low > 1.001:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if model(b, middle) < model(a, middle) else (low, middle)
    return high


names = {"tensor": "tensor parallelism of 4", "zero1": "ZeRO-1, largest batch", "zero2": "ZeRO-2, largest batch",
         "zero1 equal": "ZeRO-1, same global batch as tensor parallelism",
         "tensor accumulated": "tensor parallelism, with accumulation", "zero1 accumulated": "ZeRO-1, with accumulation"}
lines = [
    "# ZeRO data parallelism beside tensor parallelism on a slow network",
    "",
    f"Four hosts of half a core each (network namespaces; two ranks share a core); GPT of {found['layers']} layers and "
    f"{found['channels']} channels, vocabulary {found['vocabulary']}, sequences of {found['seq']} tokens, {found['dtype']}, "
    f"{tensor['parameters'] / 1e6:.1f}M parameters; {found['memory_mib']} MiB of memory for each process, of which `ds plan` allows 320 MiB "
    "for the Java machine. Each side has the largest micro-batch that then fits. Medians; one command:",
    "",
    f"    ds.bench/scripts/tensor_parallel.py {found['command']}",
    "",
    f"Without a limit a tensor-parallel step of {tensor['sequences']} sequences takes {tensor['unlimited_seconds']:.2f} s, and each rank sends "
    f"{tensor['bytes_sent_per_step'] / 1e6:.1f} MB in it. On links of {chosen / 1e6:.2f} MB/s these bytes take 2.87/1.13 = 2.54 times as "
    "long as the rest, which is the proportion on the cluster of DeepSpeed's claim. There, of its own measured step, "
    f"{(at('tensor')['seconds'] / tensor['unlimited_seconds'] - 1):.2f} times as long as the rest was communication.",
    "",
    "| at the chosen rate | global batch | MB sent by a rank | s without limit | s | sequences/s | of tensor parallelism |",
    "|---|---|---|---|---|---|---|"]
for name, title in names.items():
    run, point = runs[name], at(name)
    lines.append(f"| {title} | {run['sequences']} | {run['bytes_sent_per_step'] / 1e6:.1f} | {run['unlimited_seconds']:.2f} | "
                 f"{point['seconds']:.2f} | {point['sequences_per_second']:.2f} | {speedup(name):.2f} |")
lines += ["",
          f"With accumulation on both sides ZeRO-1 is {speedup('zero1 accumulated', 'tensor accumulated'):.2f} times as fast.", "",
          "| MB/s | of the chosen rate | tensor parallelism, sequences/s | ZeRO-1 | times | model's times |", "|---|---|---|---|---|---|"]
for point in tensor["points"]:
    rate = point["bytes_per_second"]
    lines.append(f"| {rate / 1e6:.2f} | {rate / chosen:.2f} | {point['sequences_per_second']:.2f} | "
                 f"{at('zero1', rate)['sequences_per_second']:.2f} | {speedup('zero1', rate=rate):.2f} | "
                 f"{model(zero1, rate) / model(tensor, rate):.2f} |")
per_sample = [run["bytes_sent_per_step"] / run["sequences"] for run in (tensor, zero1)]
compute = [run["unlimited_seconds"] / run["sequences"] for run in (tensor, zero1)]
tokens = tensor["sequences"] * found["seq"]
equal = crossing(runs["zero1 equal"], tensor)
lines += [
    "",
    "![sequences per second over the link's rate](" + stem + ".png)",
    "",
    "Where the factor comes from. A rank sends "
    f"{per_sample[0] / 1e6:.2f} MB for each sequence of the global batch with tensor parallelism, since activations cross the link eight "
    f"times in each layer, and {per_sample[1] / 1e6:.2f} MB with ZeRO-1, which sends gradients and weights once a step, however many sequences "
    f"share it: {per_sample[0] / per_sample[1]:.1f} times less. Without any limit a sequence takes {compute[0] * 1e3:.0f} ms split over four "
    f"ranks and {compute[1] * 1e3:.0f} ms as one of four batches, {compute[0] / compute[1]:.2f} times less: smaller products, and a wait "
    f"for all ranks four times a layer. The product of ({1 + 2.87 / 1.13:.2f}, what the link adds to tensor parallelism) and "
    f"{compute[0] / compute[1]:.2f} is what ZeRO could gain if it sent nothing.",
    "",
    "How it carries over to larger models. Tensor parallelism sends in proportion to tokens times channels, ZeRO-1 to the parameters, so "
    f"without embeddings it sends tokens / (3 channels) times less: {tokens / 3 / found['channels']:.1f} times here, for the {tokens} tokens of a "
    f"tensor-parallel batch. For GPT-2 1.5B (1600 channels) and 8192 tokens on four GPUs it would be {8192 / 3 / 1600:.1f}, and ZeRO-1 needs the "
    "larger batch that its memory allows, or accumulation, to gain as much.",
    "",
    "When tensor parallelism wins: where a batch is small and the link fast, and where the model does not fit otherwise. By the model "
    + (f"(bytes over rate, added to the step without a limit) it is faster than ZeRO-1 at its own global batch above {equal / 1e6:.0f} MB/s."
       if equal else "(bytes over rate, added to the step without a limit) it is not faster than ZeRO-1 at its own global batch at any rate here,"
       " since both have the same half cores and small products cost it more than ZeRO-1's gradients do.")]
with open(os.path.join(folder, stem + ".md"), "w", encoding="utf-8") as file:
    file.write("\n".join(lines) + "\n")

try:
    import matplotlib
except ImportError:
    sys.exit("no plot: matplotlib is absent")
matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

figure, axes = pyplot.subplots(figsize=(7, 4.2))
for name, color in (("tensor", "tab:red"), ("zero1", "tab:blue")):
    rates = [point["bytes_per_second"] / 1e6 for point in runs[name]["points"]]
    axes.plot(rates, [point["sequences_per_second"] for point in runs[name]["points"]], "o", color=color, label=names[name])
    grid = [rates[0] * (rates[-1] / rates[0]) ** (i / 60) for i in range(61)]
    axes.plot(grid, [model(runs[name], rate * 1e6) for rate in grid], "-", color=color, alpha=0.5, label="bytes / rate + step without limit")
axes.axvline(chosen / 1e6, color="gray", linestyle=":", label="communication : compute = 2.87 : 1.13")
axes.set_xscale("log")
axes.set_yscale("log")
for axis in (axes.xaxis, axes.yaxis):
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(ScalarFormatter())
    axis.set_minor_locator(NullLocator())
axes.set_xlabel("rate of each link, MB/s each way")
axes.set_ylabel("sequences per second, four hosts")
axes.legend(fontsize=8)
figure.tight_layout()
figure.savefig(os.path.join(folder, stem + ".png"), dpi=130)
