// Causal attention on tensor cores, BF16 and F16: FlashAttention-2 (Dao, arXiv:2307.08691), with the products of warps or of warpgroups, in
// whose file Tile, Own, scores and add_product are. A block takes rows of its own side, each warp 16 or a multiple; the other side passes
// through shared memory in tiles, of which the next are copied (cp.async) while one is computed with. Heads are padded to D with zeros.
// The backward pass is two kernels, for queries and for keys, instead of atomic sums: the products S and dP are made twice, 7 for 5,
// and the bits repeat. A score takes one multiplication, one exponential, and no comparison but near the diagonal.
// HEAD_SIZE, the D for which kernels are made, their names' SUFFIX and their shapes are defined before this by
// ds.backend.cuda.launch.FlashKernels.

#ifdef TOGETHER // the device has such tensor cores

#define LN_2 0.6931471805599453f

// Of a kernel: warps of a block; times 16 rows of a warp; rows of the other side in a tile, and stages of these; whether the own side is kept
// in registers; shared memory of a block.
template <int W, int M_, int N_, int S, bool K, int B>
struct Shape {
    static const int WARPS = W, M = M_, N = N_, STAGES = S, OWN = 16 * M_ * W, GROUP = 16 * M_ * TOGETHER, BYTES = B;
    static const bool KEPT = K;
};

// Where the scores of a tile lie: rows of a warp from firstRow on, columns from firstColumn on.
template <class S>
struct Scores {
    int firstRow;
    int firstColumn;

    // Calls f for each score of this lane, with its place in the fragments, its row and its column.
    template <class F>
    __device__ void each(F f) const {
        int lane = threadIdx.x % 32;
#pragma unroll
        for (int m = 0; m < S::M; m++)
#pragma unroll
            for (int n = 0; n < S::N / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e++)
                    f(m, n, e, firstRow + 16 * m + lane / 4 + e / 2 * 8, firstColumn + 8 * n + lane % 4 * 2 + e % 2);
    }
};

// Tiles behind the others at `memory`.
template <class Tile>
__device__ inline Tile tile_at(unsigned char* memory, int number) {
    return {(decltype(Tile::rows))(memory + number * Tile::BYTES)};
}

template <int M, int C>
__device__ inline void clear(float (&sum)[M][C][4]) {
#pragma unroll
    for (int m = 0; m < M; m++)
#pragma unroll
        for (int n = 0; n < C; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) sum[m][n][e] = 0;
}

// grid: (blocks of OWN queries, B · NH). The last queries, which see most, begin first.
template <class T, int D, class S>
__device__ inline void flash_forward(
        const T* qkv, T* y, float* lse, int heads, int time, int d, float scale, Drop drop, unsigned char* memory) {
    const int M = S::M, N = S::N, OWN = S::OWN, STAGES = S::STAGES, THREADS = 32 * S::WARPS;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int block = gridDim.x - 1 - blockIdx.x, h = blockIdx.y % heads;
    i64 b = blockIdx.y / heads, head = blockIdx.y;
    int c = heads * d, firstRow = OWN * block + 16 * M * warp, groupRow = OWN * block + warp / TOGETHER * S::GROUP;
    const T* q = qkv + b * time * 3 * c + h * d;
    memory = first_tile(memory);
    typedef Tile<T, OWN, D> Queries;
    typedef Tile<T, N, D> Others;
    Queries queries = tile_at<Queries>(memory, 0);
    unsigned char* others = memory + Queries::BYTES; // keys and values in turns
    static_assert(ALIGNING_BYTES + Queries::BYTES + 2 * STAGES * Others::BYTES <= S::BYTES, "more shared memory than there is");
    fill<THREADS>(queries, q, 3 * c, OWN * block, time, d);
    Own<T, OWN, D, M, S::KEPT> own = {queries, 16 * M * warp};

    float out[M][D / 8][4], max2[M][2], sum[M][2]; // maxima times scale2
    clear(out);
#pragma unroll
    for (int m = 0; m < M; m++) {
        max2[m][0] = max2[m][1] = MINUS_INFINITY;
        sum[m][0] = sum[m][1] = 0;
    }
    float scale2 = scale * LOG2_E;
    int end = OWN * (block + 1) < time ? OWN * (block + 1) : time;
    if (STAGES == 2) {
        fill<THREADS>(tile_at<Others>(others, 0), q + c, 3 * c, 0, time, d);
        fill<THREADS>(tile_at<Others>(others, 1), q + 2 * c, 3 * c, 0, time, d);
        end_copies();
    }
    for (int first = 0; first < end; first += N) {
        int stage = first / N % STAGES, filled = first + (STAGES - 1) * N;
        Others keys = tile_at<Others>(others, 2 * stage), values = tile_at<Others>(others, 2 * stage + 1);
        __syncthreads(); // all have done with the tiles before, in whose place come
        if (filled < end) {
            int into = filled / N % STAGES;
            fill<THREADS>(tile_at<Others>(others, 2 * into), q + c, 3 * c, filled, time, d);
            fill<THREADS>(tile_at<Others>(others, 2 * into + 1), q + 2 * c, 3 * c, filled, time, d);
        }
        end_copies();
        await_copies<STAGES - 1>();
        publish_copies();
        __syncthreads();
        if (first == 0) own.load(); // with the first tiles the own side has come
        if (first > groupRow + S::GROUP - 1) { // nothing of it is seen by these warps
            Turns<S::WARPS>::skip();
            continue;
        }
        float s[M][N / 8][4];
        Turns<S::WARPS>::await();
        scores(s, own, keys);
        Turns<S::WARPS>::pass();
        await_products(s);
        Scores<S> at = {firstRow, first};
        // A row of the sequence sees no keys behind its end, and what other rows see does not count.
        if (first + N - 1 > firstRow)
            at.each([&](int m, int n, int e, int row, int key) {
                if (key > row) s[m][n][e] = MINUS_INFINITY;
            });
#pragma unroll
        for (int m = 0; m < M; m++) {
            float fade[2];
#pragma unroll
            for (int half = 0; half < 2; half++) { // rows lane / 4 and lane / 4 + 8
                float largest = MINUS_INFINITY;
#pragma unroll
                for (int n = 0; n < N / 8; n++) largest = fmaxf(largest, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
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
                    }
                }
                sum[m][half] = sum[m][half] * fade[half] + all; // of this lane's columns; lanes are added at the end
            }
#pragma unroll
            for (int n = 0; n < D / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e++) out[m][n][e] *= fade[e / 2];
        }
        if (drop.rate > 0.0f)
            at.each([&](int m, int n, int e, int row, int key) {
                s[m][n][e] = drop.keeps(head, time, row, key) ? s[m][n][e] * drop.scale : 0.0f;
            });
        add_product(out, s, values);
        await_products(out);
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
                lse[head * time + row] = (max2[m][half] + log2f(sum[m][half])) * LN_2;
            sum[m][half] = 1.0f / sum[m][half];
        }
#pragma unroll
        for (int n = 0; n < D / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) out[m][n][e] *= sum[m][e / 2];
        store_rows<T, D>(out[m], y + b * time * c + h * d, c, at, time, d);
    }
}

// Of a query; so that nothing comes of those behind the sequence's end.
__device__ inline Statistics statistics_of(const Statistics* rows, int query, int time) {
    Statistics none = {MINUS_INFINITY, 0};
    return query < time ? rows[query] : none;
}

// The gradient of OWN queries, which meet the keys up to themselves; or, with KEYS, those of OWN keys and their values, which meet the
// queries from themselves on. Own rows are R1 and R2, the other side's C1 and C2:
//   queries: R1 = Q, R2 = dY, C1 = K, C2 = V:  dQ = dS K
//   keys:    R1 = K, R2 = V,  C1 = Q, C2 = dY: dK = dSᵀ Q, dV = Pᵀ dY
// where S = R1 C1ᵀ (or its transpose), P = exp(S scale - lse), dP = R2 C2ᵀ, dS = P (dP - mean) scale; the scale of dS is that of the sums.
template <class T, int D, bool KEYS, class S>
__device__ inline void flash_backward(
        const T* dy, const T* qkv, const Statistics* statistics, T* dqkv, int heads, int time, int d, float scale,
        Drop drop, unsigned char* memory) {
    const int M = S::M, N = S::N, OWN = S::OWN, THREADS = 32 * S::WARPS;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int block = KEYS ? blockIdx.x : gridDim.x - 1 - blockIdx.x, h = blockIdx.y % heads;
    i64 b = blockIdx.y / heads, head = blockIdx.y;
    int c = heads * d, firstRow = OWN * block + 16 * M * warp, groupRow = OWN * block + warp / TOGETHER * S::GROUP;
    const T* q = qkv + b * time * 3 * c + h * d;
    const T* out = dy + b * time * c + h * d;
    const Statistics* queries = statistics + head * time;

    memory = first_tile(memory);
    typedef Tile<T, OWN, D> Rows;
    typedef Tile<T, N, D> Others;
    Rows r1 = tile_at<Rows>(memory, 0), r2 = tile_at<Rows>(memory, 1);
    unsigned char* others = memory + 2 * Rows::BYTES; // C1 and C2 in turns: those in use, and those on their way
    static_assert(ALIGNING_BYTES + 2 * Rows::BYTES + 4 * Others::BYTES <= S::BYTES, "more shared memory than there is");
    fill<THREADS>(r1, KEYS ? q + c : q, 3 * c, OWN * block, time, d);
    fill<THREADS>(r2, KEYS ? q + 2 * c : out, KEYS ? 3 * c : c, OWN * block, time, d);
    Own<T, OWN, D, M, S::KEPT> own1 = {r1, 16 * M * warp}, own2 = {r2, 16 * M * warp};

    float one[M][D / 8][4], two[M][KEYS ? D / 8 : 1][4];
    clear(one);
    clear(two);
    float scale2 = scale * LOG2_E;
    Statistics ofRows[M][2];
    if (!KEYS)
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int half = 0; half < 2; half++)
                ofRows[m][half] = statistics_of(queries, firstRow + 16 * m + lane / 4 + 8 * half, time);
    int begin = KEYS ? OWN * block : 0;
    int end = KEYS || OWN * (block + 1) > time ? time : OWN * (block + 1);
    fill<THREADS>(tile_at<Others>(others, 0), KEYS ? q : q + c, 3 * c, begin, time, d);
    fill<THREADS>(tile_at<Others>(others, 1), KEYS ? out : q + 2 * c, KEYS ? c : 3 * c, begin, time, d);
    end_copies();
    for (int first = begin; first < end; first += N) {
        int stage = (first - begin) / N % 2, next = first + N;
        Others c1 = tile_at<Others>(others, 2 * stage), c2 = tile_at<Others>(others, 2 * stage + 1);
        __syncthreads(); // all have done with the tiles before, in whose place come the next
        if (next < end) {
            fill<THREADS>(tile_at<Others>(others, 2 - 2 * stage), KEYS ? q : q + c, 3 * c, next, time, d);
            fill<THREADS>(tile_at<Others>(others, 3 - 2 * stage), KEYS ? out : q + 2 * c, KEYS ? c : 3 * c, next, time, d);
        }
        end_copies();
        await_copies<1>();
        publish_copies();
        __syncthreads();
        if (first == begin) { // with the first tiles the own side has come
            own1.load();
            own2.load();
        }
        if (KEYS ? first + N - 1 < groupRow : first > groupRow + S::GROUP - 1) { // nothing of it is seen by these warps
            Turns<S::WARPS>::skip();
            continue;
        }
        float p[M][N / 8][4], ds[M][N / 8][4];
        Turns<S::WARPS>::await();
        scores(p, own1, c1);
        scores(ds, own2, c2);
        Turns<S::WARPS>::pass();
        Statistics ofColumns[N / 8][2];
        if (KEYS)
#pragma unroll
            for (int n = 0; n < N / 8; n++)
#pragma unroll
                for (int k = 0; k < 2; k++)
                    ofColumns[n][k] = statistics_of(queries, first + 8 * n + lane % 4 * 2 + k, time);
        await_products(p, ds);
        Scores<S> at = {firstRow, first};
        if (KEYS ? first < firstRow + 16 * M - 1 : first + N - 1 > firstRow)
            at.each([&](int m, int n, int e, int row, int column) {
                if (KEYS ? row > column : column > row) p[m][n][e] = MINUS_INFINITY;
            });
        u32 kept[M];
        if (drop.rate > 0.0f) {
#pragma unroll
            for (int m = 0; m < M; m++) kept[m] = 0;
            at.each([&](int m, int n, int e, int row, int column) {
                bool keeps = drop.keeps(head, time, KEYS ? column : row, KEYS ? row : column);
                kept[m] |= (u32)keeps << (4 * n + e);
                ds[m][n][e] = keeps ? ds[m][n][e] * drop.scale : 0.0f;
            });
        }
        at.each([&](int m, int n, int e, int, int) {
            Statistics query = KEYS ? ofColumns[n][e % 2] : ofRows[m][e / 2];
            p[m][n][e] = exp2_of(fmaf(p[m][n][e], scale2, query.exponent));
            ds[m][n][e] = p[m][n][e] * (ds[m][n][e] - query.mean);
        });
        if (KEYS && drop.rate > 0.0f)
            at.each([&](int m, int n, int e, int, int) {
                p[m][n][e] = kept[m] >> (4 * n + e) & 1 ? p[m][n][e] * drop.scale : 0.0f;
            });
        add_product(one, ds, c1);
        if constexpr (KEYS) add_product(two, p, c2);
        await_products(one, two);
    }
    T* to = dqkv + b * time * 3 * c + h * d;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int n = 0; n < D / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) one[m][n][e] *= scale;
        store_rows<T, D>(one[m], KEYS ? to + c : to, 3 * c, firstRow + 16 * m, time, d);
        if constexpr (KEYS) store_rows<T, D>(two[m], to + 2 * c, 3 * c, firstRow + 16 * m, time, d);
    }
}

#define INSTANCES(T, NAME, END)                                                                                         \
    KERNEL __launch_bounds__(32 * FORWARD_SHAPE::WARPS, FORWARD_BLOCKS) flash_forward_##NAME##_##END(                   \
            const T* qkv, T* y, float* lse, int heads, int time, int d, float scale, u64 key, u64 first, float rate,    \
            float keepScale) {                                                                                          \
        DYNAMIC_SHARED(memory);                                                                                         \
        Drop drop = {key, first, rate, keepScale};                                                                      \
        flash_forward<T, HEAD_SIZE, FORWARD_SHAPE>(qkv, y, lse, heads, time, d, scale, drop, memory);                   \
    }                                                                                                                   \
    KERNEL __launch_bounds__(32 * QUERIES_SHAPE::WARPS, QUERIES_BLOCKS) flash_queries_##NAME##_##END(                   \
            const T* dy, const T* qkv, const Statistics* statistics, T* dqkv, int heads, int time, int d,               \
            float scale, u64 key, u64 first, float rate, float keepScale) {                                             \
        DYNAMIC_SHARED(memory);                                                                                         \
        Drop drop = {key, first, rate, keepScale};                                                                      \
        flash_backward<T, HEAD_SIZE, false, QUERIES_SHAPE>(                                                             \
                dy, qkv, statistics, dqkv, heads, time, d, scale, drop, memory);                                        \
    }                                                                                                                   \
    KERNEL __launch_bounds__(32 * KEYS_SHAPE::WARPS, KEYS_BLOCKS) flash_keys_##NAME##_##END(                            \
            const T* dy, const T* qkv, const Statistics* statistics, T* dqkv, int heads, int time, int d,               \
            float scale, u64 key, u64 first, float rate, float keepScale) {                                             \
        DYNAMIC_SHARED(memory);                                                                                         \
        Drop drop = {key, first, rate, keepScale};                                                                      \
        flash_backward<T, HEAD_SIZE, true, KEYS_SHAPE>(dy, qkv, statistics, dqkv, heads, time, d, scale, drop, memory); \
    }
#define INSTANCES_OF(T, NAME, END) INSTANCES(T, NAME, END) // so that SUFFIX becomes what it stands for
INSTANCES_OF(bf16, bf16, SUFFIX)
INSTANCES_OF(f16, f16, SUFFIX)
#endif
