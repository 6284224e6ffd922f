#!/usr/bin/env python3
"""Seconds from the start of `./ds train` to the end of its first step, for the model of `ds quickstart` on one rank.

    python3 ds.bench/scripts/startup.py --runs 7

Prints one JSON line: with the text tokenised in the run (as the first run of a text is), and with tokens that are there already.
Builds first, if need be: the build is not in the numbers.
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


def first_step(ds, config, out, deadline=120):
    metrics = out / "metrics.jsonl"
    start = time.perf_counter()
    process = subprocess.Popen([ds, "train", "--config", str(config), "--out", str(out)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    try:
        while time.perf_counter() - start < deadline:
            if metrics.exists() and metrics.read_text().endswith("\n"):
                return time.perf_counter() - start
            if process.poll() is not None:
                raise RuntimeError(process.stderr.read()[-2000:])
            time.sleep(0.002)
        raise RuntimeError(f"no step within {deadline} s")
    finally:
        process.kill()
        process.wait()


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
    result = {"runs": args.runs}
    for name, seconds in (("with_tokenising", fresh), ("tokens_there", prepared)):
        result[name] = {"median_seconds": round(statistics.median(seconds), 3), "min": round(min(seconds), 3),
                        "max": round(max(seconds), 3)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
