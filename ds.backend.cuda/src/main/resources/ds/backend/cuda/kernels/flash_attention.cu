// Causal attention on tensor cores, BF16 and F16, sm_80 and later: FlashAttention-2 (Dao, arXiv:2307.08691) with mma.m16n8k16. A block of
// four warps takes 64 rows, a warp 16 of them, or twice as many; the other side passes through shared memory in tiles, of which the next is
// copied (cp.async) while one is computed with. Heads are padded to D with zeros. HEAD_SIZE is the D for which kernels are made.
// The backward pass is two kernels, for queries and for keys, instead of atomic sums: the products S and dP are made twice, 7 for 5,
// and the bits repeat.
// Besides the products it is reading shared memory that takes long (a warp's ldmatrix of four matrices as long as a product), and the work on
// each score. So what a warp reads of the other side serves two products where registers suffice, its own side stays in registers there, and
// a score takes one multiplication, one exponential, and no comparison but near the diagonal.

#if defined(DS_EMULATED) || __CUDA_ARCH__ >= 800

#define LN_2 0.6931471805599453f
#define MINUS_INFINITY of_bits(0xff800000u)
#define ROWS 64 // of a block's own side; twice as many where each warp takes two times 16

struct Drop {
    u64 key;
    u64 first;
    float rate; // 0 for none
    float scale;
};

#ifndef DS_EMULATED
// c += a b: a is 16 by 16 in rows, b 16 by 8 in columns, c 16 by 8 in rows (PTX ISA, "Matrix Fragments for mma.m16n8k16").
__device__ inline void mma(bf16, float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ inline void mma(f16, float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// Four 8 by 8 matrices; lane l gives the address of row l % 8 of matrix l / 8.
__device__ inline void load_matrices(u32 (&m)[4], const void* row) {
    u32 address = (u32)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
                 : "r"(address)
                 : "memory");
}
// 16 bytes to shared memory, of which the first `bytes` are copied and the others become 0; there once the group is waited for.
__device__ inline void copy_async(void* to, const void* from, int bytes) {
    u32 address = (u32)__cvta_generic_to_shared(to);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(bytes) : "memory");
}
// Ends a group of this thread's copies.
__device__ inline void end_copies() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
// Waits for this thread's groups but the newest ones.
template <int NEWEST>
__device__ inline void await_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(NEWEST) : "memory");
}
__device__ inline void load_transposed(u32 (&m)[4], const void* row) {
    u32 address = (u32)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
                 : "r"(address)
                 : "memory");
}
#endif

// Two numbers, rounded, in one register.
template <class T>
__device__ inline u32 pair(float lower, float upper);
#ifdef DS_EMULATED
template <class T>
__device__ inline u32 pair(float lower, float upper) {
    return (u32)from_float<T>(lower).bits | (u32)from_float<T>(upper).bits << 16;
}
#else
template <>
__device__ inline u32 pair<bf16>(float lower, float upper) {
    u32 both;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(upper), "f"(lower));
    return both;
}
template <>
__device__ inline u32 pair<f16>(float lower, float upper) {
    u32 both;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(upper), "f"(lower));
    return both;
}
#endif

// A tile in shared memory: rows of D elements at a stride of which eight multiples lie in different banks.
template <class T, int D>
struct Tile {
    static const int STRIDE = D + 8;
    T* rows;

    // Begins to copy `count` rows from `first` on, of `d` elements each; what lies beyond `limit` rows or d elements becomes 0.
    __device__ void fill(const T* from, i64 rowStride, int first, int count, int limit, int d) const {
        bool wide = d % 8 == 0 && rowStride % 8 == 0 && aligned(from, 16);
        for (int chunk = threadIdx.x; chunk < count * (D / 8); chunk += blockDim.x) {
            int row = chunk / (D / 8), column = chunk % (D / 8) * 8;
            const T* source = from + (i64)(first + row) * rowStride + column;
            T* to = rows + row * STRIDE + column;
            if (wide) {
                bool inside = first + row < limit && column < d;
                copy_async(to, inside ? source : from, inside ? 16 : 0);
                continue;
            }
            Pack<T, 8> pack;
#pragma unroll
            for (int k = 0; k < 8; k++) {
                pack.v[k].bits = 0;
                if (first + row < limit && column + k < d) pack.v[k] = source[k];
            }
            *reinterpret_cast<Pack<T, 8>*>(to) = pack;
        }
    }
    // The same tile so many tiles of `count` rows further on.
    __device__ Tile after(int tiles, int count) const {
        Tile other = {rows + tiles * count * STRIDE};
        return other;
    }
    // Rows [row, row + 16) and columns [16 step, 16 step + 16) as the first factor.
    __device__ void first_factor(u32 (&a)[4], int row, int step) const {
        int lane = threadIdx.x % 32;
        load_matrices(a, rows + (row + lane % 16) * STRIDE + 16 * step + lane / 16 * 8);
    }
    // As the transposed second factor: 8 columns of the product are rows [row, row + 8); 32 of depth from 16 step on.
    __device__ void second_transposed(u32 (&b)[4], int row, int step) const {
        int lane = threadIdx.x % 32;
        load_matrices(b, rows + (row + lane % 8) * STRIDE + 16 * step + lane / 8 * 8);
    }
    // As the second factor: depth is rows [row, row + 16), 16 columns of the product from `column` on.
    __device__ void second(u32 (&b)[4], int row, int column) const {
        int lane = threadIdx.x % 32;
        load_transposed(b, rows + (row + lane % 16) * STRIDE + column + lane / 16 * 8);
    }
};

// Rows of a warp as a first factor, 16 at a time: from shared memory whenever they are asked for, or kept in registers.
template <class T, int D, int M>
struct FromTile {
    Tile<T, D> tile;
    int row;

    __device__ void load() {}
    __device__ void get(u32 (&a)[4], int m, int step) const {
        tile.first_factor(a, row + 16 * m, step);
    }
};
template <class T, int D>
struct FromRegisters {
    Tile<T, D> tile;
    int row;
    u32 all[D / 16][4];

    // Once the tile is there.
    __device__ void load() {
#pragma unroll
        for (int step = 0; step < D / 16; step++) tile.first_factor(all[step], row, step);
    }
    __device__ void get(u32 (&a)[4], int, int step) const {
#pragma unroll
        for (int k = 0; k < 4; k++) a[k] = all[step][k];
    }
};

// s = M times 16 rows of a, times N rows of b, transposed.
template <class T, int D, int N, int M, class A>
__device__ inline void scores(float (&s)[M][N / 8][4], const A& a, const Tile<T, D>& b) {
#pragma unroll
    for (int m = 0; m < M; m++)
#pragma unroll
        for (int n = 0; n < N / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) s[m][n][e] = 0;
#pragma unroll
    for (int step = 0; step < D / 16; step += 2) {
        u32 low[M][4], high[M][4];
#pragma unroll
        for (int m = 0; m < M; m++) {
            a.get(low[m], m, step);
            a.get(high[m], m, step + 1);
        }
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
            u32 factor[4];
            b.second_transposed(factor, 8 * n, step);
#pragma unroll
            for (int m = 0; m < M; m++) {
                mma(T(), s[m][n], low[m], factor[0], factor[1]);
                mma(T(), s[m][n], high[m], factor[2], factor[3]);
            }
        }
    }
}

// sum += p, M times 16 by N as `scores` leaves it, times N rows of b. The fragment of a product is that of a first factor.
template <class T, int D, int N, int M>
__device__ inline void add_product(float (&sum)[M][D / 8][4], const float (&p)[M][N / 8][4], const Tile<T, D>& b) {
#pragma unroll
    for (int step = 0; step < N / 16; step++) {
        u32 a[M][4];
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int k = 0; k < 4; k++) {
                const float(&two)[4] = p[m][2 * step + k / 2];
                a[m][k] = pair<T>(two[k % 2 * 2], two[k % 2 * 2 + 1]);
            }
#pragma unroll
        for (int n = 0; n < D / 16; n++) {
            u32 factor[4];
            b.second(factor, 16 * step, 16 * n);
#pragma unroll
            for (int m = 0; m < M; m++) {
                mma(T(), sum[m][2 * n], a[m], factor[0], factor[1]);
                mma(T(), sum[m][2 * n + 1], a[m], factor[2], factor[3]);
            }
        }
    }
}

// Stores 16 rows of a product, rounded; two neighbours at once where they lie so.
template <class T, int D>
__device__ inline void store_rows(const float (&x)[D / 8][4], T* to, i64 rowStride, int first, int limit, int d) {
    int lane = threadIdx.x % 32;
    bool even = d % 2 == 0 && rowStride % 2 == 0 && aligned(to, 4);
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int row = first + lane / 4 + half * 8, column = 8 * n + lane % 4 * 2;
            if (row >= limit || column >= d) continue;
            T* at = to + row * rowStride + column;
            if (even) {
                *reinterpret_cast<u32*>(at) = pair<T>(x[n][2 * half], x[n][2 * half + 1]);
            } else {
                at[0] = from_float<T>(x[n][2 * half]);
                if (column + 1 < d) at[1] = from_float<T>(x[n][2 * half + 1]);
            }
        }
    }
}

// grid: (blocks of M times 64 queries, B · NH). The last queries, which see most, begin first.
template <class T, int D, int M>
__device__ inline void flash_forward(
        const T* qkv, T* y, float* lse, int heads, int time, int d, float scale, Drop drop, unsigned char* memory) {
    const int N = 64, OWN = M * ROWS;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int block = gridDim.x - 1 - blockIdx.x, h = blockIdx.y % heads;
    i64 b = blockIdx.y / heads;
    int c = heads * d, firstRow = OWN * block + 16 * M * warp;
    const T* q = qkv + b * time * 3 * c + h * d;
    const int STAGES = D > 128 ? 1 : 2; // twice the tiles of 160 are more than some devices have
    Tile<T, D> queries = {(T*)memory};
    Tile<T, D> allKeys = {queries.rows + OWN * Tile<T, D>::STRIDE};
    Tile<T, D> allValues = allKeys.after(STAGES, N);
    queries.fill(q, 3 * c, OWN * block, OWN, time, d);
    FromTile<T, D, M> own = {queries, 16 * M * warp};

    float out[M][D / 8][4], max2[M][2], sum[M][2]; // maxima times scale2
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int n = 0; n < D / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) out[m][n][e] = 0;
        max2[m][0] = max2[m][1] = MINUS_INFINITY;
        sum[m][0] = sum[m][1] = 0;
    }
    float scale2 = scale * LOG2_E;
    int end = OWN * (block + 1) < time ? OWN * (block + 1) : time;
    if (STAGES == 2) {
        allKeys.fill(q + c, 3 * c, 0, N, time, d);
        allValues.fill(q + 2 * c, 3 * c, 0, N, time, d);
        end_copies();
    }
    for (int first = 0; first < end; first += N) {
        int stage = first / N % STAGES, filled = first + (STAGES - 1) * N;
        Tile<T, D> keys = allKeys.after(stage, N), values = allValues.after(stage, N);
        __syncthreads(); // all have done with the tiles before, in whose place come
        if (filled < end) {
            int into = filled / N % STAGES;
            allKeys.after(into, N).fill(q + c, 3 * c, filled, N, time, d);
            allValues.after(into, N).fill(q + 2 * c, 3 * c, filled, N, time, d);
        }
        end_copies();
        await_copies<STAGES - 1>();
        __syncthreads();
        if (first > firstRow + 16 * M - 1) continue; // nothing of it is seen by this warp
        float s[M][N / 8][4];
        scores<T, D, N, M>(s, own, keys);
        // A row of the sequence sees no keys behind its end, and what other rows see does not count.
        bool masked = first + N - 1 > firstRow;
#pragma unroll
        for (int m = 0; m < M; m++) {
            float fade[2];
#pragma unroll
            for (int half = 0; half < 2; half++) { // rows lane / 4 and lane / 4 + 8
                int row = firstRow + 16 * m + lane / 4 + 8 * half;
                float largest = MINUS_INFINITY;
#pragma unroll
                for (int n = 0; n < N / 8; n++) {
#pragma unroll
                    for (int e = 2 * half; e < 2 * half + 2; e++) {
                        if (masked && first + 8 * n + lane % 4 * 2 + e % 2 > row) s[m][n][e] = MINUS_INFINITY;
                        largest = fmaxf(largest, s[m][n][e]);
                    }
                }
                largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 1));
                largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 2));
                float larger = fmaxf(max2[m][half], largest * scale2);
                fade[half] = exp2_of(max2[m][half] - larger); // key 0 is seen by all: `larger` is finite
                max2[m][half] = larger;
                float all = 0;
#pragma unroll
                for (int n = 0; n < N / 8; n++) {
#pragma unroll
                    for (int e = 2 * half; e < 2 * half + 2; e++) {
                        s[m][n][e] = exp2_of(fmaf(s[m][n][e], scale2, -larger));
                        all += s[m][n][e];
                        if (drop.rate > 0.0f) {
                            int column = first + 8 * n + lane % 4 * 2 + e % 2;
                            u64 counter = drop.first + ((u64)blockIdx.y * time + row) * time + column;
                            s[m][n][e] = dropped(s[m][n][e], drop.key, counter, drop.rate, drop.scale);
                        }
                    }
                }
                sum[m][half] = sum[m][half] * fade[half] + all; // of this lane's columns; lanes are added at the end
            }
#pragma unroll
            for (int n = 0; n < D / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e++) out[m][n][e] *= fade[e / 2];
        }
        add_product<T, D, N, M>(out, s, values);
    }
#pragma unroll
    for (int m = 0; m < M; m++) {
        int at = firstRow + 16 * m;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            sum[m][half] += __shfl_xor_sync(0xffffffffu, sum[m][half], 1);
            sum[m][half] += __shfl_xor_sync(0xffffffffu, sum[m][half], 2);
            int row = at + lane / 4 + 8 * half;
            if (lane % 4 == 0 && row < time)
                lse[(i64)blockIdx.y * time + row] = (max2[m][half] + log2f(sum[m][half])) * LN_2;
        }
#pragma unroll
        for (int n = 0; n < D / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) out[m][n][e] /= sum[m][e / 2];
        store_rows<T, D>(out[m], y + b * time * c + h * d, c, at, time, d);
    }
}

// The negative logSumExp of a query, in units of log2, and its delta; so that nothing comes of queries behind the sequence's end.
__device__ inline void statistics(const float* lse, const float* delta, int query, int time, float& l, float& mean) {
    l = query < time ? -lse[query] * LOG2_E : MINUS_INFINITY;
    mean = query < time ? delta[query] : 0.0f;
}

// Where the own side is kept: in registers too where these do not take the place of another block.
template <class T, int D, bool KEYS>
struct OwnSide {
    typedef FromTile<T, D, 1> Factor;
};
template <class T>
struct OwnSide<T, 64, false> {
    typedef FromRegisters<T, 64> Factor;
};

// The gradient of 64 queries, which meet the keys up to themselves; or, with KEYS, those of 64 keys and their values, which meet the
// queries from themselves on. Own rows are R1 and R2, the other side's C1 and C2:
//   queries: R1 = Q, R2 = dY, C1 = K, C2 = V:  dQ = dS K
//   keys:    R1 = K, R2 = V,  C1 = Q, C2 = dY: dK = dSᵀ Q, dV = Pᵀ dY
// where S = R1 C1ᵀ (or its transpose), P = exp(S scale - lse), dP = R2 C2ᵀ, dS = P (dP - delta) scale; the scale of dS is that of the sums.
template <class T, int D, bool KEYS>
__device__ inline void flash_backward(
        const T* dy, const T* qkv, const float* lse, const float* delta, T* dqkv, int heads, int time, int d, float scale,
        Drop drop, unsigned char* memory) {
    const int N = 32; // wider, and the sums of keys and values do not fit into the registers
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int block = KEYS ? blockIdx.x : gridDim.x - 1 - blockIdx.x, h = blockIdx.y % heads;
    i64 b = blockIdx.y / heads;
    int c = heads * d, firstRow = ROWS * block + 16 * warp;
    const T* q = qkv + b * time * 3 * c + h * d;
    const T* out = dy + b * time * c + h * d;
    const float* rowLse = lse + (i64)blockIdx.y * time;
    const float* rowDelta = delta + (i64)blockIdx.y * time;

    Tile<T, D> r1 = {(T*)memory};
    Tile<T, D> r2 = r1.after(1, ROWS);
    Tile<T, D> all1 = r2.after(1, ROWS); // of the other side: one in use, one on its way
    Tile<T, D> all2 = all1.after(2, N);
    r1.fill(KEYS ? q + c : q, 3 * c, ROWS * block, ROWS, time, d);
    r2.fill(KEYS ? q + 2 * c : out, KEYS ? 3 * c : c, ROWS * block, ROWS, time, d);
    typename OwnSide<T, D, KEYS>::Factor own1 = {r1, 16 * warp}, own2 = {r2, 16 * warp};

    float one[1][D / 8][4], two[1][KEYS ? D / 8 : 1][4];
#pragma unroll
    for (int n = 0; n < D / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            one[0][n][e] = 0;
            if (KEYS) two[0][KEYS ? n : 0][e] = 0;
        }
    float scale2 = scale * LOG2_E;
    float rowL[2] = {0, 0}, rowMean[2] = {0, 0};
    if (!KEYS)
#pragma unroll
        for (int half = 0; half < 2; half++)
            statistics(rowLse, rowDelta, firstRow + lane / 4 + 8 * half, time, rowL[half], rowMean[half]);
    int begin = KEYS ? ROWS * block : 0;
    int end = KEYS || ROWS * (block + 1) > time ? time : ROWS * (block + 1);
    all1.fill(KEYS ? q : q + c, 3 * c, begin, N, time, d);
    all2.fill(KEYS ? out : q + 2 * c, KEYS ? c : 3 * c, begin, N, time, d);
    end_copies();
    for (int first = begin; first < end; first += N) {
        int stage = (first - begin) / N % 2, next = first + N;
        Tile<T, D> c1 = all1.after(stage, N), c2 = all2.after(stage, N);
        __syncthreads(); // all have done with the tiles before, in whose place come the next
        if (next < end) {
            all1.after(1 - stage, N).fill(KEYS ? q : q + c, 3 * c, next, N, time, d);
            all2.after(1 - stage, N).fill(KEYS ? out : q + 2 * c, KEYS ? c : 3 * c, next, N, time, d);
        }
        end_copies();
        await_copies<1>();
        __syncthreads();
        if (first == begin) { // with the first tiles the own side has come
            own1.load();
            own2.load();
        }
        if (KEYS ? first + N - 1 < firstRow : first > firstRow + 15) continue; // nothing of it is seen by this warp
        float columnL[N / 8][2], columnMean[N / 8][2];
        if (KEYS)
#pragma unroll
            for (int n = 0; n < N / 8; n++)
#pragma unroll
                for (int k = 0; k < 2; k++)
                    statistics(rowLse, rowDelta, first + 8 * n + lane % 4 * 2 + k, time, columnL[n][k], columnMean[n][k]);
        float p[1][N / 8][4], ds[1][N / 8][4];
        scores<T, D, N, 1>(p, own1, c1);
        scores<T, D, N, 1>(ds, own2, c2);
        bool masked = KEYS ? first < firstRow + 15 : first + N - 1 > firstRow;
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int row = firstRow + lane / 4 + e / 2 * 8, column = first + 8 * n + lane % 4 * 2 + e % 2;
                int query = KEYS ? column : row, key = KEYS ? row : column;
                float l = KEYS ? columnL[n][e % 2] : rowL[e / 2], mean = KEYS ? columnMean[n][e % 2] : rowMean[e / 2];
                float probability = exp2_of(fmaf(p[0][n][e], scale2, l));
                if (masked && key > query) probability = 0;
                float kept = probability, dp = ds[0][n][e];
                if (drop.rate > 0.0f) {
                    u64 counter = drop.first + ((u64)blockIdx.y * time + query) * time + key;
                    kept = dropped(probability, drop.key, counter, drop.rate, drop.scale);
                    dp = dropped(dp, drop.key, counter, drop.rate, drop.scale);
                }
                p[0][n][e] = kept;
                ds[0][n][e] = probability * (dp - mean);
            }
        }
        add_product<T, D, N, 1>(one, ds, c1);
        if constexpr (KEYS) add_product<T, D, N, 1>(two, p, c2);
    }
#pragma unroll
    for (int n = 0; n < D / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) one[0][n][e] *= scale;
    T* to = dqkv + b * time * 3 * c + h * d;
    store_rows<T, D>(one[0], KEYS ? to + c : to, 3 * c, firstRow, time, d);
    if constexpr (KEYS) store_rows<T, D>(two[0], to + 2 * c, 3 * c, firstRow, time, d);
}

// As many blocks at once as a multiprocessor has registers for without spilling any.
#define INSTANCES(T, NAME, D)                                                                                           \
    KERNEL __launch_bounds__(128, (D) == 96 ? 3 : 2) flash_forward_##NAME##_##D(                                        \
            const T* qkv, T* y, float* lse, int heads, int time, int d, float scale, u64 key, u64 first, float rate,    \
            float keepScale) {                                                                                          \
        DYNAMIC_SHARED(memory);                                                                                         \
        Drop drop = {key, first, rate, keepScale};                                                                      \
        flash_forward<T, D, D <= 64 ? 2 : 1>(qkv, y, lse, heads, time, d, scale, drop, memory);                                          \
    }                                                                                                                   \
    KERNEL __launch_bounds__(128, (D) <= 96 ? 3 : 2) flash_queries_##NAME##_##D(                                        \
            const T* dy, const T* qkv, const float* lse, const float* delta, T* dqkv, int heads, int time, int d,       \
            float scale, u64 key, u64 first, float rate, float keepScale) {                                             \
        DYNAMIC_SHARED(memory);                                                                                         \
        Drop drop = {key, first, rate, keepScale};                                                                      \
        flash_backward<T, D, false>(dy, qkv, lse, delta, dqkv, heads, time, d, scale, drop, memory);                    \
    }                                                                                                                   \
    KERNEL __launch_bounds__(128, (D) <= 64 ? 3 : (D) <= 128 ? 2 : 1) flash_keys_##NAME##_##D(                          \
            const T* dy, const T* qkv, const float* lse, const float* delta, T* dqkv, int heads, int time, int d,       \
            float scale, u64 key, u64 first, float rate, float keepScale) {                                             \
        DYNAMIC_SHARED(memory);                                                                                         \
        Drop drop = {key, first, rate, keepScale};                                                                      \
        flash_backward<T, D, true>(dy, qkv, lse, delta, dqkv, heads, time, d, scale, drop, memory);                     \
    }
#define INSTANCES_OF(T, NAME, D) INSTANCES(T, NAME, D) // so that HEAD_SIZE becomes its number
INSTANCES_OF(bf16, bf16, HEAD_SIZE)
INSTANCES_OF(f16, f16, HEAD_SIZE)
#endif
