#!/usr/bin/env python3
"""Runs flash attention as NVRTC compiles it, in numpy, against attention in F64: `check_attention.py [KERNELS…] [--triton]`.

    ./mvnw test-compile -pl ds.backend.cuda -am
    DS_CUDA_LIBRARIES=FOLDER_OF_LIBNVRTC python3 ds.backend.cuda/scripts/ptx/check_attention.py

KERNELS are sizes of heads, such as 64 or wgmma_128; all by default. Needs numpy and an NVRTC (profile nvrtc has one in target/nvrtc), no GPU.
With --triton, which must be installed, the machine of machine.py first runs a kernel that Triton compiles for sm_90 with wgmma, and has
to get its result: Triton's kernels are right on real devices, so that whoever reads them right knows descriptions and fragments.
Prints a line for each case; ends with 1 if an error is larger than roundings to 16 bits explain.
"""
import argparse
import ctypes
import glob
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

from machine import Block, Kernel, Memory, from_half, to_half

ROOT = pathlib.Path(__file__).resolve().parents[3]
LOG2_E = 1.4426950408889634
UNITS = {"bf16": 2.0 ** -8, "f16": 2.0 ** -11}  # of rounding
# heads' size, heads, tokens, sequences: parts of a block, several blocks, heads that are padded or lie at odd places
CASES = [(1.0, 1, 1, 1), (1.0, 1, 64, 1), (1.0, 2, 300, 2), (0.625, 1, 130, 1), (0.3125, 1, 150, 1)]


def sources():
    """Returns the text of each source of flash attention by its name, as ds compiles it."""
    modules = ["ds.backend.cuda", "ds.cuda", "ds.api"]
    path = ":".join(str(ROOT / module / "target" / kind) for module in modules for kind in ("test-classes", "classes"))
    with tempfile.TemporaryDirectory() as folder:
        java = f'. "{ROOT}/.mvn/jdk25.sh"; "$JAVA_HOME/bin/java" -cp "{path}" ds.backend.cuda.launch.CompileKernels --sources "{folder}"'
        subprocess.run(["sh", "-c", java], check=True)
        return {file.stem.removeprefix("flash_attention_"): file.read_text()
                for file in sorted(pathlib.Path(folder).glob("flash_attention_*.cu"))}


def load_nvrtc():
    folders = [*os.environ.get("DS_CUDA_LIBRARIES", "").split(":"), str(ROOT / "ds.backend.cuda/target/nvrtc/org/bytedeco/cuda/linux-x86_64")]
    for folder in filter(None, folders):
        for library in sorted(glob.glob(f"{folder}/libnvrtc.so.*")):
            for builtins in glob.glob(f"{folder}/libnvrtc-builtins.so.*"):
                ctypes.CDLL(builtins, ctypes.RTLD_GLOBAL)
            return ctypes.CDLL(library)
    sys.exit("no libnvrtc.so: name its folder by DS_CUDA_LIBRARIES, or see profile nvrtc")


def compile_ptx(nvrtc, text, architecture):
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    options = [f"--gpu-architecture={architecture}".encode(), b"--std=c++17", b"--fmad=false"]
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"flash_attention.cu", 0, None, None)
    status = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    get, get_size = (nvrtc.nvrtcGetProgramLog, nvrtc.nvrtcGetProgramLogSize) if status else (nvrtc.nvrtcGetPTX, nvrtc.nvrtcGetPTXSize)
    get_size(program, ctypes.byref(size))
    result = ctypes.create_string_buffer(size.value)
    get(program, result)
    if status:
        sys.exit(result.value.decode())
    return result.value.decode()


class Shape:
    """Of one kernel, as FlashKernels defines it."""

    def __init__(self, source, name):
        found = re.search(rf"#define {name}_SHAPE Shape<(\d+), (\d+), \d+, \d+, \w+, (\d+)>", source).groups()
        warps, fragments, self.shared_bytes = map(int, found)
        self.rows, self.threads = 16 * fragments * warps, 32 * warps


class Attention:
    """One head, in F64: y, logSumExp, delta, the three gradients; and how much each is rounded."""

    def __init__(self, q, k, v, dy, unit):
        scale = 1 / math.sqrt(q.shape[1])
        scores = q @ k.T * scale
        scores[np.triu_indices(len(q), 1)] = -np.inf
        largest = scores.max(1, keepdims=True)
        p = np.exp(scores - largest)
        self.lse = largest[:, 0] + np.log(p.sum(1))
        p /= p.sum(1, keepdims=True)
        self.y = p @ v
        self.delta = (dy * self.y).sum(1)
        ds = p * (dy @ v.T - self.delta[:, None]) * scale
        results = {"y": (p, v), "dq": (ds, k), "dk": (ds.T, q), "dv": (p.T, dy)}
        self.values = {name: a @ b for name, (a, b) in results.items()}
        # P or dS is rounded, and so is the result.
        self.bounds = {name: unit * (abs(a) @ abs(b) + abs(a @ b)) + 1e-5 for name, (a, b) in results.items()}


def check(ptx, source, suffix, kind, case):
    share, heads, time, batch = case
    d = max(1, int(int(re.search(r"\d+", suffix).group()) * share))
    channels = heads * d
    numbers = np.random.default_rng(time)
    qkv, dy = (to_half(numbers.standard_normal((batch, time, n * channels)), kind) for n in (3, 1))
    memory = Memory(16 << 20)
    at = {"qkv": memory.put(qkv), "dy": memory.put(dy), "y": memory.put(np.zeros((batch, time, channels), np.uint16)),
          "lse": memory.put(np.zeros((batch * heads, time), np.float32)), "dqkv": memory.put(np.zeros((batch, time, 3 * channels), np.uint16))}
    expected = {}
    for b, h in np.ndindex(batch, heads):
        part = lambda x, i: from_half(x[b, :, i * channels + h * d:i * channels + (h + 1) * d], kind).astype(np.float64)
        expected[b, h] = Attention(part(qkv, 0), part(qkv, 1), part(qkv, 2), part(dy, 0), UNITS[kind])
    statistics = np.zeros((batch * heads, time, 2), np.float32)
    for (b, h), one in expected.items():
        statistics[b * heads + h] = np.stack([-one.lse * LOG2_E, one.delta], 1)
    at["statistics"] = memory.put(statistics)
    dims = [heads, time, d, np.float32(1 / math.sqrt(d)), 0, 0, np.float32(0), np.float32(1)]
    taken = 0
    for name, operands in (("FORWARD", ("qkv", "y", "lse")), ("QUERIES", ("dy", "qkv", "statistics", "dqkv")),
                           ("KEYS", ("dy", "qkv", "statistics", "dqkv"))):
        shape = Shape(source, name)
        kernel = Kernel(ptx, f"flash_{name.lower()}_{kind}_{suffix}")
        grid = (math.ceil(time / shape.rows), batch * heads, 1)
        for x, y in np.ndindex(grid[:2]):
            block = Block(shape.threads, (x, y, 0), grid, memory, shape.shared_bytes, "memory")
            taken += block.run(kernel, [at[each] for each in operands] + dims)
    y, dqkv = memory.get(at["y"], qkv.shape[:2] + (channels,), np.uint16), memory.get(at["dqkv"], qkv.shape, np.uint16)
    worst = {}
    for (b, h), one in expected.items():
        for i, name in enumerate(("y", "dq", "dk", "dv")):
            first = h * d + max(0, i - 1) * channels
            found = from_half((y if i == 0 else dqkv)[b, :, first:first + d], kind)
            worst[name] = max(worst.get(name, 0), (abs(found - one.values[name]) / one.bounds[name]).max())
        lse = memory.get(at["lse"], (batch * heads, time), np.float32)[b * heads + h]
        worst["lse"] = max(worst.get("lse", 0), (abs(lse - one.lse) / (1e-6 * (1 + abs(one.lse)))).max())
    right = all(error <= 1 for error in worst.values())
    print(f"{suffix} {kind}: heads of {d}, {batch} x {heads} of {time} tokens, {taken} instructions; errors, of the bound: "
          + ", ".join(f"{name} {error:.2f}" for name, error in worst.items()) + ("" if right else "  WRONG"), flush=True)
    return right


def check_machine():
    """Triton's kernel, of products of both kinds that we use: against its own result."""
    import triton_reference
    right = True
    for d in (64, 128):
        memory, numbers = Memory(1 << 20), np.random.default_rng(d)
        q, k, v = (to_half(numbers.standard_normal((rows, d)), "bf16") for rows in (64, 256, 256))
        addresses = [memory.put(each) for each in (q, k, v, np.zeros((64, d), np.float32))]
        kernel = Kernel(triton_reference.ptx(d), "products")
        Block(128, (0, 0, 0), (1, 1, 1), memory, 160 << 10, "global_smem", shared_at=1024).run(kernel, addresses + [0] * (len(kernel.parameters) - 4))
        q, k, v = (from_half(each, "bf16").astype(np.float64) for each in (q, k, v))
        scores = from_half(to_half(q @ k.T, "bf16"), "bf16").astype(np.float64)
        # Scores that lie between two numbers of BF16 may be rounded to either.
        error = (abs(memory.get(addresses[3], (64, d), np.float32) - scores @ v) / (UNITS["bf16"] * (abs(scores) @ abs(v)))).max()
        right &= bool(error < 0.1)
        print(f"Triton's products with {d} columns: error, of the roundings' bound: {error:.4f}" + ("" if right else "  WRONG"), flush=True)
    return right


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="*", help="sizes of heads, such as 64 or wgmma_128")
    parser.add_argument("--types", nargs="+", choices=UNITS, default=list(UNITS), help="of the operands")
    parser.add_argument("--triton", action="store_true", help="first run a kernel of Triton's on the same machine")
    arguments = parser.parse_args()
    texts = sources()
    unknown = set(arguments.kernels) - set(texts)
    if unknown:
        parser.error(f"no kernels {', '.join(sorted(unknown))}; there are {', '.join(texts)}")
    nvrtc = load_nvrtc()
    right = check_machine() if arguments.triton else True
    for suffix in arguments.kernels or texts:
        ptx = compile_ptx(nvrtc, texts[suffix], "compute_90a" if suffix.startswith("wgmma") else "compute_80")
        for kind in arguments.types:
            for case in CASES:
                right &= check(ptx, texts[suffix], suffix, kind, case)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
