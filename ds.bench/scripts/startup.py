#!/usr/bin/env python3
"""How `./ds train` starts, on one rank.

    python3 ds.bench/scripts/startup.py --runs 7

Prints one JSON line. For the model of `ds quickstart`, seconds from the start to the end of the first step: with the text
tokenised in the run (as the first run of a text is), and with tokens that are there already. For GPT-2 124M, micro-batches of
4 x 256, tokens there, in fp32 and bf16: the same, and the first and the fourth step beside the steady one, which is the median of
the ninth to the sixteenth. Medians of all runs. Builds first, if need be: the build is not in the numbers.
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "ds.cli/src/main/resources/ds/cli/quickstart.json"
CORPUS = ROOT / "ds.cli/target/quickstart/commons-lang3-sources.jar"
LARGE = {"train_batch_size": 4, "ds": {"model": {"preset": "gpt2-124m"},
                                        "data": {"text": [str(ROOT / "README.md"), str(ROOT / "ARCHITECTURE.md")],
                                                 "tokenizer": "gpt2", "validation_fraction": 0.1},
                                        "train": {"sequence_length": 256, "steps": 1000, "evaluate_every": 1000}}}
STEPS = 16


def first_step(ds, config, out, deadline=120):
    return steps(ds, config, out, 1, deadline)[0]


def steps(ds, config, out, count, deadline=120):
    """Returns seconds to the end of the first step, and the metrics of so many steps."""
    metrics = out / "metrics.jsonl"
    first = None
    start = time.perf_counter()
    with open(out.with_suffix(".err"), "w+") as said:
        process = subprocess.Popen([ds, "train", "--config", str(config), "--out", str(out)], stdout=subprocess.DEVNULL, stderr=said)
        try:
            while time.perf_counter() - start < deadline * count:
                lines = metrics.read_text().splitlines(keepends=True) if metrics.exists() else []
                done = [line for line in lines if line.endswith("\n")]
                if done and first is None:
                    first = time.perf_counter() - start
                if len(done) >= count:
                    return first, [json.loads(line) for line in done[:count]]
                if process.poll() is not None:
                    said.seek(0)
                    raise RuntimeError(said.read()[-2000:])
                time.sleep(0.002 if first is None else 0.1)  # later steps are timed by the run itself: no looking takes its time
            raise RuntimeError(f"{count} steps take more than {deadline * count} s")
        finally:
            process.kill()
            process.wait()


def summary(seconds, digits=3):
    return {"median_seconds": round(statistics.median(seconds), digits), "min": round(min(seconds), digits),
            "max": round(max(seconds), digits)}


def large(ds, folder, bf16, runs):
    config = folder / f"large-{bf16}.json"
    config.write_text(json.dumps(LARGE | {"bf16": {"enabled": bf16}}))
    tokens = LARGE["train_batch_size"] * LARGE["ds"]["train"]["sequence_length"]
    firsts, seconds = [], []
    for run in range(-1, runs):  # the first one tokenises, and is not counted
        out = folder / f"large-{bf16}-{run}"
        if run >= 0:
            out.mkdir()
            shutil.copytree(folder / f"large-{bf16}--1" / "tokens", out / "tokens")
        first, metrics = steps(ds, config, out, STEPS)
        if run >= 0:
            firsts.append(first)
            seconds.append([tokens / step["tokens_per_second"] for step in metrics])
    steady = [statistics.median(each[8:]) for each in seconds]
    result = {"to_first_step": summary(firsts, 2), "steady": summary(steady, 2)}
    for name, i in (("first", 0), ("second", 1), ("fourth", 3)):
        result[name] = summary([each[i] for each in seconds], 2)
        result[name + "_by_steady"] = round(statistics.median(each[i] / last for each, last in zip(seconds, steady)), 2)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--ds", default=str(ROOT / "ds"), help="the command to run; default %(default)s")
    args = parser.parse_args()
    subprocess.run([args.ds, "info"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        config = folder / "config.json"
        config.write_text(TEMPLATE.read_text().replace('"@CORPUS@"', json.dumps(str(CORPUS))))
        fresh, prepared = [], []
        for run in range(args.runs):
            out = folder / f"run-{run}"
            fresh.append(first_step(args.ds, config, out))
            again = folder / f"again-{run}"
            again.mkdir()
            shutil.copytree(out / "tokens", again / "tokens")
            prepared.append(first_step(args.ds, config, again))
        result = {"runs": args.runs, "with_tokenising": summary(fresh), "tokens_there": summary(prepared)}
        result["gpt2-124m"] = {name: large(args.ds, folder, bf16, args.runs)
                               for name, bf16 in (("fp32", False), ("bf16", True))}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
