"""A kernel of Triton's, compiled for sm_90 without a GPU: products of tiles as attention has them, S = Q Kᵀ and O += S V."""
import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget


@triton.jit
def products(queries, keys, values, out, D: tl.constexpr, N: tl.constexpr):
    row, key, column = tl.arange(0, 64), tl.arange(0, N), tl.arange(0, D)
    q = tl.load(queries + row[:, None] * D + column[None, :])
    sums = tl.zeros((64, D), tl.float32)
    for i in range(0, 4):
        k = tl.load(keys + i * N * D + key[:, None] * D + column[None, :])
        v = tl.load(values + i * N * D + key[:, None] * D + column[None, :])
        sums = tl.dot(tl.dot(q, tl.trans(k)).to(tl.bfloat16), v, sums)
    tl.store(out + row[:, None] * D + column[None, :], sums)


def ptx(columns):
    """Returns the PTX for 64 queries and 256 keys of so many columns."""
    source = triton.compiler.ASTSource(
        fn=products, signature={"queries": "*bf16", "keys": "*bf16", "values": "*bf16", "out": "*fp32", "D": "constexpr", "N": "constexpr"},
        constexprs={"D": columns, "N": 64}, attrs={(i,): [["tt.divisibility", 16]] for i in range(4)})
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 4, "num_stages": 2}).asm["ptx"]
