#!/usr/bin/env python3
"""One training step of GPT-2 in PyTorch on a GPU: the peer of `ds bench step --backend cuda`. Prints one JSON line.

Forward with scaled_dot_product_attention (flash attention), backward, clipping of the global norm, fused AdamW; bf16 is autocast over
fp32 weights, TF32 permitted for what stays in fp32: as PyTorch users train. The model is written out here, since the machine may have
nothing but torch; its parameters are GPT-2's. --compile block compiles one block, which all blocks share: as fast to within a per
cent or two as the whole model, of which 48 layers take minutes to compile.
Example: pytorch_gpu_step.py --model gpt2-124m --micro-batch 32 --seq 1024 --vocabulary 50304 --compile model
"""
import argparse
import contextlib
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional

SHAPES = {
    "gpt2-124m": (12, 768, 12),
    "gpt2-355m": (24, 1024, 16),
    "gpt2-774m": (36, 1280, 20),
    "gpt2-1558m": (48, 1600, 25),
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default="gpt2-124m", choices=SHAPES)
parser.add_argument("--layers", type=int)
parser.add_argument("--channels", type=int)
parser.add_argument("--heads", type=int)
parser.add_argument("--vocabulary", type=int, default=50257)
parser.add_argument("--micro-batch", type=int, default=32)
parser.add_argument("--seq", type=int, default=1024)
parser.add_argument("--dtype", default="bf16", choices=["fp32", "bf16"])
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--compile", default="model", choices=["no", "model", "block"])
parser.add_argument("--device", default="cuda", help="cpu, for rehearsals")
args = parser.parse_args()

torch.manual_seed(0)
torch.set_float32_matmul_precision("high")
layers, channels, heads = (given or preset for given, preset in
                           zip((args.layers, args.channels, args.heads), SHAPES[args.model]))
gpu = args.device == "cuda"


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.expand = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (part.view(b, t, heads, c // heads).transpose(1, 2) for part in self.expand(x).split(c, dim=2))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.project(y.transpose(1, 2).reshape(b, t, c))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attention = Attention()
        self.norm2 = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, 4 * channels)
        self.contract = nn.Linear(4 * channels, channels)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.contract(functional.gelu(self.widen(self.norm2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(args.vocabulary, channels)
        self.positions = nn.Embedding(max(1024, args.seq), channels)
        self.blocks = nn.ModuleList(Block() for _ in range(layers))
        self.norm = nn.LayerNorm(channels)
        for name, parameter in self.named_parameters():
            if parameter.dim() >= 2:
                residual = name.endswith(("project.weight", "contract.weight"))
                nn.init.normal_(parameter, std=0.02 / (2 * layers) ** 0.5 if residual else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, inputs, targets):
        x = self.tokens(inputs) + self.positions.weight[:inputs.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = functional.linear(self.norm(x), self.tokens.weight)
        return functional.cross_entropy(logits.view(-1, args.vocabulary), targets.view(-1))


with torch.device(args.device):
    model = Gpt().train()
parameters = sum(p.numel() for p in model.parameters())
optimizer = torch.optim.AdamW(
    [{"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 0.1},
     {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0}], lr=1e-4, fused=True)
if args.compile == "block":
    for block in model.blocks:
        block.compile()
run = torch.compile(model) if args.compile == "model" else model
tokens = torch.randint(0, args.vocabulary, (args.micro_batch, args.seq + 1), device=args.device)
inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


def synchronize():
    if gpu:
        torch.cuda.synchronize()


def step():
    """Returns how many seconds one step took, and its loss."""
    start = time.perf_counter()
    with torch.autocast(args.device, dtype=torch.bfloat16) if args.dtype == "bf16" else contextlib.nullcontext():
        loss = run(inputs, targets)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    value = loss.item()
    synchronize()
    return time.perf_counter() - start, value


def rate(n):
    """FLOP/s of a square product: the median of 7, of several each."""
    a, b = (torch.rand(n, n, device=args.device).to(torch.bfloat16) for _ in range(2))
    repeats = 10 if gpu else 1
    seconds = []
    for _ in range(8):
        start = time.perf_counter()
        for _ in range(repeats):
            torch.mm(a, b)
        synchronize()
        seconds.append((time.perf_counter() - start) / repeats)
    return 2.0 * n ** 3 / statistics.median(seconds[1:])


begin = time.perf_counter()
step()
compiled = time.perf_counter() - begin
warmup = [step() for _ in range(2)]
measured = [step() for _ in range(args.steps)]
peak = torch.cuda.max_memory_allocated() if gpu else 0
median = statistics.median(seconds for seconds, _ in measured)
count = args.micro_batch * args.seq
flops = 6 * (parameters - max(1024, args.seq) * channels) + 12 * layers * channels * args.seq
best = max(rate(n) for n in ((4096, 8192) if gpu else (512,)))
print(json.dumps({
    "peer": "pytorch " + torch.__version__ + ("" if args.compile == "no" else ", compiled by " + args.compile),
    "device": torch.cuda.get_device_name() if gpu else "cpu", "cuda": torch.version.cuda,
    "model": args.model, "layers": layers, "channels": channels, "vocabulary": args.vocabulary, "parameters": parameters,
    "dtype": args.dtype, "micro_batch": args.micro_batch, "seq": args.seq,
    "first_step_seconds": compiled, "step_seconds": median,
    "step_seconds_min": min(seconds for seconds, _ in measured), "step_seconds_max": max(seconds for seconds, _ in measured),
    "tokens_per_second": count / median, "model_flops_per_second": count / median * flops,
    "best_product_flops_per_second": best, "mfu_of_best_product": count / median * flops / best,
    "peak_bytes": peak, "losses": [loss for _, loss in warmup + measured]}), flush=True)
