#!/usr/bin/env python3
"""Training steps while strangers attack, against steps in peace, in turns of one run.

Ranks on loopback train GPT-2 (`ds bench step --on-request`, one core each). A process of its own attacks: while the job forms it keeps up to 1000
connections to the master's port half open and says, over ever new ones, what a scanner, a rank with a wrong secret or a frame of 4 GiB
would; while steps are measured it scans the ports of the machine and says the same wherever something listens. Attacks come at a fixed
rate, since attacker and ranks share the cores, and by a process of lowest priority. Prints a table, and the results as JSON.

Example: under_attack.py --output ds.bench/results/under_attack.json
"""
import argparse
import json
import os
import random
import secrets
import socket
import statistics
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "ds")
HALF_OPEN = 1000

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--ranks", type=int, default=2)
parser.add_argument("--port", type=int, default=29513)
parser.add_argument("--rate", type=int, default=500, help="attacks a second; default %(default)s")
parser.add_argument("--turns", type=int, default=6, help="of each kind; default %(default)s")
parser.add_argument("--steps", type=int, default=12, help="of each turn; default %(default)s")
parser.add_argument("--layers", type=int, default=4)
parser.add_argument("--channels", type=int, default=256)
parser.add_argument("--output", default="", help="file for the results")
parser.add_argument("--attack", choices=["master", "scan"], help=argparse.SUPPRESS)  # what the attacker's process does
args = parser.parse_args()


def words():
    """What strangers say: nothing, a scanner's words, a hello as ranks send it with a made-up proof, frames too long, noise."""
    return random.choice([b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00" + os.urandom(64), b"DS" + os.urandom(94),
                          struct.pack(">I", 0xFFFFFFFF) * 24, os.urandom(random.randrange(1, 4096))])


def attack():
    """Runs until it is ended, then says what it did."""
    kept, asked, answered, ports = [], 0, 0, 0
    start = time.monotonic()
    try:
        while True:
            asked += 1
            time.sleep(max(0.0, start + asked / args.rate - time.monotonic()))
            ports = ports % 65535 + 1
            place = ("127.0.0.1", args.port if args.attack == "master" else ports)
            stranger = socket.socket()
            stranger.settimeout(0.5)
            try:
                stranger.connect(place)
                answered += 1
                if args.attack == "master" and asked % 2:
                    kept.append(stranger)  # half open: says one byte of a greeting, and no more
                    stranger.send(b"D")
                    if len(kept) > HALF_OPEN:
                        kept.pop(0).close()
                    continue
                stranger.send(words())
            except OSError:
                pass  # nobody listens, or it was thrown out
            stranger.close()
    except KeyboardInterrupt:
        times = os.times()
        print(json.dumps({"attacks": asked, "connected": answered, "cpu_seconds": round(times.user + times.system, 2)}))


class Attack:
    """The attacker, as long as the block lasts."""

    def __init__(self, kind):
        self.command = [sys.executable, os.path.abspath(__file__), "--attack", kind, "--port", str(args.port), "--rate", str(args.rate)]
        self.done = {}

    def __enter__(self):
        self.process = subprocess.Popen(["nice", "-n", "19"] + self.command, stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        self.process.send_signal(2)
        self.done = json.loads(self.process.communicate()[0])


class Job:
    """Ranks that take a step when they are asked to."""

    def __init__(self):
        secret = secrets.token_hex(32)
        self.ranks = []
        start = time.monotonic()
        for rank in range(args.ranks):
            place = {"RANK": str(rank), "WORLD_SIZE": str(args.ranks), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(args.ranks),
                     "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(args.port), "DS_SECRET": secret}
            command = [DS, "bench", "step", "--on-request", "--layers", str(args.layers), "--channels", str(args.channels), "--heads", "4",
                       "--vocabulary", "8192", "--seq", "256", "--micro-batch", "2", "--dtype", "bf16", "--stage", "2"]
            self.ranks.append(subprocess.Popen(["taskset", "-c", str(rank % (os.cpu_count() or 1))] + command, env={**os.environ, **place},
                                               stdin=subprocess.PIPE, stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL, text=True))
        self.expect("ready")
        self.seconds_to_ready = time.monotonic() - start

    def step(self):
        for rank in self.ranks:
            rank.stdin.write("step\n")
            rank.stdin.flush()
        return float(self.expect())

    def expect(self, word=""):
        line = self.ranks[0].stdout.readline().strip()
        if not line or word and line != word:
            sys.exit(f"rank 0 said '{line}'")
        return line

    def close(self):
        for rank in self.ranks:
            rank.stdin.close()
        if any(rank.wait() for rank in self.ranks):
            sys.exit("a rank failed")


def measure():
    calm = Job()
    for _ in range(3):
        calm.step()
    calm.close()
    with Attack("master") as forming:
        job = Job()
    for _ in range(10):
        job.step()
    steps, attacks = {"calm": [], "attacked": []}, []
    for _ in range(args.turns):
        steps["calm"] += [job.step() for _ in range(args.steps)]
        with Attack("scan") as scan:
            steps["attacked"] += [job.step() for _ in range(args.steps)]
        attacks.append(scan.done)
    job.close()
    medians = {kind: statistics.median(seconds) for kind, seconds in steps.items()}
    means = {kind: statistics.mean(seconds) for kind, seconds in steps.items()}
    return {"ranks": args.ranks, "rate": args.rate, "turns": args.turns, "steps_each": args.turns * args.steps,
            "seconds_to_ready": {"calm": round(calm.seconds_to_ready, 2), "attacked": round(job.seconds_to_ready, 2)},
            "while_forming": forming.done,
            "while_training": {key: sum(a[key] for a in attacks) for key in attacks[0]},
            "median_step_seconds": medians, "mean_step_seconds": means,
            "throughput": {"median": round(medians["calm"] / medians["attacked"], 4), "mean": round(means["calm"] / means["attacked"], 4)}}


if args.attack:
    attack()
else:
    results = measure()
    print("| | calm | attacked | ratio |\n|---|---|---|---|")
    print("| start to first step, s | {calm} | {attacked} | |".format(**results["seconds_to_ready"]))
    for name in ("median", "mean"):
        both = results[name + "_step_seconds"]
        print(f"| {name} step, ms | {both['calm'] * 1e3:.1f} | {both['attacked'] * 1e3:.1f} | {results['throughput'][name]:.3f} |")
    print(json.dumps(results))
    if args.output:
        with open(args.output, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
            file.write("\n")
