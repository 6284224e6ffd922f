#!/usr/bin/env python3
"""One training step of GPT-2 in PyTorch on the CPU: the peer of `ds bench step`. Prints one JSON line.

Forward, backward, clipping of the global norm, AdamW; bf16 is autocast over fp32 weights, as PyTorch users train on a CPU. With
RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in the environment it is one rank of DistributedDataParallel over gloo, with
ZeroRedundancyOptimizer (ZeRO stage 1) unless --ddp asks for whole optimizer states on every rank.
Needs torch and transformers. Example: pytorch_step.py --micro-batch 4 --seq 256 --dtype bf16 --steps 5 [--compile]
"""
import argparse
import contextlib
import json
import os
import resource
import statistics
import sys
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel

SHAPES = {
    "gpt2-124m": (12, 768, 12),
    "gpt2-355m": (24, 1024, 16),
    "gpt2-774m": (36, 1280, 20),
    "gpt2-1558m": (48, 1600, 25),
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default="gpt2-124m", choices=SHAPES)
parser.add_argument("--micro-batch", type=int, default=4)
parser.add_argument("--seq", type=int, default=256)
parser.add_argument("--dtype", default="fp32", choices=["fp32", "bf16"])
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--threads", type=int, default=0, help="0: all cores")
parser.add_argument("--ddp", action="store_true", help="with several ranks: without ZeRO")
parser.add_argument("--compile", action="store_true", help="torch.compile the model")
parser.add_argument("--on-request", action="store_true",
                    help="read the standard input: a line 'step' asks for a step, 'rate' for the best matrix product; the JSON "
                         "line comes when it ends")
args = parser.parse_args()

if args.threads:
    torch.set_num_threads(args.threads)
ranks = int(os.environ.get("WORLD_SIZE", "1"))
torch.manual_seed(0)
layers, channels, heads = SHAPES[args.model]
config = GPT2Config(n_layer=layers, n_embd=channels, n_head=heads, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
                    attn_implementation="sdpa", use_cache=False)
model = GPT2LMHeadModel(config).train()
parameters = sum(p.numel() for p in model.parameters())
groups = [{"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 0.1},
          {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0}]
step_model = torch.compile(model) if args.compile else model
if ranks > 1:
    import datetime

    from torch.distributed.optim import ZeroRedundancyOptimizer
    from torch.nn.parallel import DistributedDataParallel

    torch.distributed.init_process_group("gloo", timeout=datetime.timedelta(hours=1))
    step_model = DistributedDataParallel(step_model, gradient_as_bucket_view=True)
if ranks > 1 and not args.ddp:
    optimizer = ZeroRedundancyOptimizer(groups, optimizer_class=torch.optim.AdamW, lr=1e-4, fused=True)
else:
    optimizer = torch.optim.AdamW(groups, lr=1e-4, fused=True)
tokens = torch.randint(0, config.vocab_size, (args.micro_batch, args.seq + 1))
inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
loss = None


def step():
    """Returns how many seconds one step took."""
    global loss
    start = time.perf_counter()
    autocast = torch.autocast("cpu", dtype=torch.bfloat16) if args.dtype == "bf16" else contextlib.nullcontext()
    with autocast:
        logits = step_model(inputs).logits
        result = torch.nn.functional.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
    result.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=ranks == 1)  # DDP's buckets stay where they are
    loss = result.item()
    return time.perf_counter() - start


def rate():
    """FLOP/s of the best product: squares, and those of a block; medians of 7."""
    dtype = torch.bfloat16 if args.dtype == "bf16" else torch.float32
    rows, c = args.micro_batch * args.seq, channels
    best = 0.0
    for m, n, k in [(1024,) * 3, (2048,) * 3, (rows, 3 * c, c), (rows, 4 * c, c), (rows, c, 4 * c)]:
        a, b = torch.rand(m, k).to(dtype), torch.rand(k, n).to(dtype)
        torch.mm(a, b)
        seconds = []
        while len(seconds) < 7 or sum(seconds) < 0.25:
            start = time.perf_counter()
            torch.mm(a, b)
            seconds.append(time.perf_counter() - start)
        best = max(best, 2.0 * m * n * k / statistics.median(seconds))
    return best


warmup = [step() for _ in range(2)]
if args.on_request:
    seconds = []
    print("ready", flush=True)
    for request in sys.stdin:
        if request.strip() == "step":
            seconds.append(step())
            print(seconds[-1], flush=True)
        elif request.strip() == "rate":
            print(rate(), flush=True)
        else:
            sys.exit(f"request {request!r} on the standard input: must be 'step' or 'rate'")
else:
    seconds = [step() for _ in range(args.steps)]
if int(os.environ.get("RANK", "0")) == 0 or args.on_request:
    median = statistics.median(seconds)
    count = args.micro_batch * args.seq * ranks
    flops = 6 * (parameters - config.n_positions * channels) + 12 * layers * channels * args.seq
    print(json.dumps({
        "peer": "pytorch " + torch.__version__ + (" compiled" if args.compile else "") + ("" if ranks == 1 else " DDP" if args.ddp else " DDP+ZeRO"),
        "model": args.model, "dtype": args.dtype, "ranks": ranks,
        "micro_batch": args.micro_batch, "seq": args.seq, "threads": torch.get_num_threads(),
        "step_seconds": median, "step_seconds_min": min(seconds), "step_seconds_max": max(seconds),
        "tokens_per_second": count / median, "model_flops_per_second": count / median * flops, "all_step_seconds": warmup + seconds,
        "max_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "loss": loss}), flush=True)
if ranks > 1:
    torch.distributed.destroy_process_group()
