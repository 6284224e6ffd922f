#!/usr/bin/env python3
"""One training step of GPT-2 in PyTorch on the CPU: the peer of `ds bench step`. Prints one JSON line.

Forward, backward, clipping of the global norm, AdamW; bf16 is autocast over fp32 weights, as PyTorch users train on a CPU.
Needs torch and transformers. Example: pytorch_step.py --micro-batch 4 --seq 256 --dtype bf16 --steps 5 [--compile]
"""
import argparse
import contextlib
import json
import resource
import statistics
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
parser.add_argument("--compile", action="store_true", help="torch.compile the model")
args = parser.parse_args()

if args.threads:
    torch.set_num_threads(args.threads)
torch.manual_seed(0)
layers, channels, heads = SHAPES[args.model]
config = GPT2Config(n_layer=layers, n_embd=channels, n_head=heads, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
                    attn_implementation="sdpa", use_cache=False)
model = GPT2LMHeadModel(config).train()
parameters = sum(p.numel() for p in model.parameters())
decay = [p for p in model.parameters() if p.dim() >= 2]
plain = [p for p in model.parameters() if p.dim() < 2]
optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}], lr=1e-4,
                              fused=True)
step_model = torch.compile(model) if args.compile else model
tokens = torch.randint(0, config.vocab_size, (args.micro_batch, args.seq + 1))
inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


def step():
    autocast = torch.autocast("cpu", dtype=torch.bfloat16) if args.dtype == "bf16" else contextlib.nullcontext()
    with autocast:
        logits = step_model(inputs).logits
        loss = torch.nn.functional.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()


for _ in range(2):
    step()
seconds = []
for _ in range(args.steps):
    start = time.perf_counter()
    loss = step()
    seconds.append(time.perf_counter() - start)
median = statistics.median(seconds)
count = args.micro_batch * args.seq
flops = 6 * (parameters - config.n_positions * channels) + 12 * layers * channels * args.seq
print(json.dumps({
    "peer": "pytorch " + torch.__version__ + (" compiled" if args.compile else ""), "model": args.model, "dtype": args.dtype,
    "micro_batch": args.micro_batch, "seq": args.seq, "threads": torch.get_num_threads(),
    "step_seconds": median, "step_seconds_min": min(seconds), "step_seconds_max": max(seconds),
    "tokens_per_second": count / median, "model_flops_per_second": count / median * flops,
    "max_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "loss": loss}))
