// Causal attention without tensor cores: for F32, for devices older than sm_80, and for new positions beside a cache. A warp takes one
// row; a lane one key of 32 for the scores, and every 32nd of the head's elements, at most 8, for the sums. Memory is linear in T.
// ds.api.Kernels.attention; letters as there, D the size of a head.

// Where the rows of one operand lie: of sequence b and head h, row t begins at b * batch + h * D + t * row.
struct Place {
    i64 batch;
    i64 row;
};

template <class T>
__device__ inline float dot(const float* a, const T* b, int d) {
    float sum = 0;
    for (int e = 0; e < d; e++) sum = fmaf(a[e], to_float(b[e]), sum);
    return sum;
}

// Query i sees the keys up to past + i.
template <class T>
__device__ inline void attention_rows(
        const T* q, Place qAt, const T* k, const T* v, Place kvAt, T* y, float* lse, i64 rows, int heads, int time, int d,
        int past, float scale, Drop drop) {
    __shared__ float queries[4][256];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    for (i64 r = 4 * (i64)blockIdx.x + warp; r < rows; r += 4 * (i64)gridDim.x) {
        int i = r % time, h = r / time % heads;
        i64 b = r / time / heads;
        const T* query = q + b * qAt.batch + i * qAt.row + h * d;
        const T* keys = k + b * kvAt.batch + h * d;
        const T* values = v + b * kvAt.batch + h * d;
        __syncwarp();
        for (int e = lane; e < d; e += 32) queries[warp][e] = to_float(query[e]);
        __syncwarp();
        float max = MINUS_INFINITY, sum = 0, out[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        for (int first = 0; first <= past + i; first += 32) {
            int j = first + lane;
            bool seen = j <= past + i;
            float s = seen ? dot(queries[warp], keys + j * kvAt.row, d) * scale : MINUS_INFINITY;
            float larger = fmaxf(max, warp_max(s));
            float fade = expf(max - larger);
            float p = seen ? expf(s - larger) : 0.0f;
            sum = sum * fade + warp_sum(p);
            max = larger;
            if (drop.rate > 0.0f && seen) p = drop.keeps(r / time, time, i, j) ? p * drop.scale : 0.0f;
#pragma unroll
            for (int e = 0; e < 8; e++) out[e] *= fade;
            int count = past + i + 1 - first < 32 ? past + i + 1 - first : 32;
            for (int n = 0; n < count; n++) {
                float weight = __shfl_sync(0xffffffffu, p, n);
                const T* value = values + (first + n) * kvAt.row;
#pragma unroll
                for (int e = 0; e < 8; e++)
                    if (32 * e + lane < d) out[e] = fmaf(weight, to_float(value[32 * e + lane]), out[e]);
            }
        }
        T* to = y + (b * time + i) * heads * d + h * d;
#pragma unroll
        for (int e = 0; e < 8; e++)
            if (32 * e + lane < d) to[32 * e + lane] = from_float<T>(out[e] / sum);
        if (lse && lane == 0) lse[r] = max + logf(sum);
    }
}

// A warp for each row.
template <class T>
__device__ inline void attention_statistics_rows(
        const T* dy, const T* y, const float* lse, Statistics* statistics, i64 rows, int heads, int time, int d) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    for (i64 r = warps * (i64)blockIdx.x + warp; r < rows; r += warps * (i64)gridDim.x) {
        i64 at = (r / time / heads * time + r % time) * heads * d + r / time % heads * d;
        float sum = 0;
        for (int e = lane; e < d; e += 32) sum = fmaf(to_float(dy[at + e]), to_float(y[at + e]), sum);
        sum = warp_sum(sum);
        if (lane == 0) statistics[r] = {-lse[r] * LOG2_E, sum};
    }
}
// The same with loads of 16 bytes: as many lanes for a row as it has of these, and a power of two of them.
template <class T, int N>
__device__ inline void attention_statistics_wide(
        const T* dy, const T* y, const float* lse, Statistics* statistics, i64 rows, int heads, int time, int d) {
    int lanes = 1;
    while (N * lanes < d) lanes *= 2;
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32, atOnce = 32 / lanes;
    for (i64 first = atOnce * (warps * (i64)blockIdx.x + warp); first < rows; first += atOnce * warps * (i64)gridDim.x) {
        i64 r = first + lane / lanes;
        int e = lane % lanes * N;
        float sum = 0;
        if (r < rows && e < d) {
            i64 at = (r / time / heads * time + r % time) * heads * d + r / time % heads * d + e;
            float v[N], w[N];
            load(dy + at, v);
            load(y + at, w);
#pragma unroll
            for (int k = 0; k < N; k++) sum = fmaf(v[k], w[k], sum);
        }
        for (int offset = lanes / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
        if (lane % lanes == 0 && r < rows) statistics[r] = {-lse[r] * LOG2_E, sum};
    }
}
template <class T>
__device__ inline void attention_statistics(
        const T* dy, const T* y, const float* lse, Statistics* statistics, i64 rows, int heads, int time, int d) {
    const int n = Wide<T>::N;
    if (d % n == 0 && d <= 32 * n && aligned(dy, 16) && aligned(y, 16))
        attention_statistics_wide<T, n>(dy, y, lse, statistics, rows, heads, time, d);
    else
        attention_statistics_rows(dy, y, lse, statistics, rows, heads, time, d);
}

// The gradient of the queries, or, with KEYS, those of keys and values. With P = exp(S - lse) and dS = P (dP - mean): a row of queries
// meets the keys up to itself, and a row of keys the queries from itself on; what is summed differs, the numbers do not.
template <class T, bool KEYS>
__device__ inline void attention_gradients(
        const T* dy, const T* qkv, const float* lse, const Statistics* statistics, T* dqkv, i64 rows, int heads, int time, int d,
        float scale, Drop drop) {
    __shared__ float firsts[4][256];  // the query, or the key
    __shared__ float seconds[4][256]; // the gradient of its output, or the value
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int c = heads * d;
    for (i64 r = 4 * (i64)blockIdx.x + warp; r < rows; r += 4 * (i64)gridDim.x) {
        int own = r % time, h = r / time % heads;
        i64 b = r / time / heads;
        const T* q = qkv + b * time * 3 * c + h * d;
        const T* k = q + c;
        const T* v = k + c;
        const T* out = dy + b * time * c + h * d;
        i64 head = r - own; // its first row
        __syncwarp();
        for (int e = lane; e < d; e += 32) {
            firsts[warp][e] = to_float((KEYS ? k : q)[(i64)own * 3 * c + e]);
            seconds[warp][e] = to_float(KEYS ? v[(i64)own * 3 * c + e] : out[(i64)own * c + e]);
        }
        __syncwarp();
        float one[8] = {0, 0, 0, 0, 0, 0, 0, 0}, two[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        int begin = KEYS ? own / 32 * 32 : 0, end = KEYS ? time : own + 1;
        for (int first = begin; first < end; first += 32) {
            int other = first + lane;
            bool seen = other < end && (!KEYS || other >= own);
            float p = 0, ds = 0;
            if (seen) {
                i64 query = head + (KEYS ? other : own);
                int key = KEYS ? own : other;
                float s = dot(firsts[warp], (KEYS ? q : k) + (i64)other * 3 * c, d);
                float dp = KEYS ? dot(seconds[warp], out + (i64)other * c, d) : dot(seconds[warp], v + (i64)other * 3 * c, d);
                p = expf(s * scale - lse[query]);
                float kept = p;
                if (drop.rate > 0.0f) {
                    bool keeps = drop.keeps(r / time, time, KEYS ? other : own, key);
                    kept = keeps ? p * drop.scale : 0.0f;
                    dp = keeps ? dp * drop.scale : 0.0f;
                }
                ds = p * (dp - statistics[query].mean) * scale;
                p = kept;
            }
            int count = end - first < 32 ? end - first : 32;
            for (int n = 0; n < count; n++) {
                float weight = __shfl_sync(0xffffffffu, ds, n);
                const T* from = (KEYS ? q : k) + (i64)(first + n) * 3 * c;
#pragma unroll
                for (int e = 0; e < 8; e++)
                    if (32 * e + lane < d) one[e] = fmaf(weight, to_float(from[32 * e + lane]), one[e]);
                if (KEYS) {
                    weight = __shfl_sync(0xffffffffu, p, n);
                    from = out + (i64)(first + n) * c;
#pragma unroll
                    for (int e = 0; e < 8; e++)
                        if (32 * e + lane < d) two[e] = fmaf(weight, to_float(from[32 * e + lane]), two[e]);
                }
            }
        }
        T* to = dqkv + (b * time + own) * 3 * c + h * d;
#pragma unroll
        for (int e = 0; e < 8; e++) {
            if (32 * e + lane >= d) continue;
            to[(KEYS ? c : 0) + 32 * e + lane] = from_float<T>(one[e]);
            if (KEYS) to[2 * c + 32 * e + lane] = from_float<T>(two[e]);
        }
    }
}

// 128 threads a block.
#define INSTANCES(T, NAME)                                                                                              \
    KERNEL attention_##NAME(                                                                                            \
            const T* q, i64 qBatch, i64 qRow, const T* k, const T* v, i64 kvBatch, i64 kvRow, T* y, float* lse,         \
            i64 rows, int heads, int time, int d, int past, float scale, u64 key, u64 first, float rate,                \
            float keepScale) {                                                                                          \
        Place qAt = {qBatch, qRow}, kvAt = {kvBatch, kvRow};                                                            \
        Drop drop = {key, first, rate, keepScale};                                                                      \
        attention_rows(q, qAt, k, v, kvAt, y, lse, rows, heads, time, d, past, scale, drop);                            \
    }                                                                                                                   \
    KERNEL attention_statistics_##NAME(                                                                                 \
            const T* dy, const T* y, const float* lse, Statistics* statistics, i64 rows, int heads, int time, int d) {  \
        attention_statistics(dy, y, lse, statistics, rows, heads, time, d);                                             \
    }                                                                                                                   \
    KERNEL attention_queries_##NAME(                                                                                    \
            const T* dy, const T* qkv, const float* lse, const Statistics* statistics, T* dqkv, i64 rows, int heads, int time, \
            int d, float scale, u64 key, u64 first, float rate, float keepScale) {                                      \
        Drop drop = {key, first, rate, keepScale};                                                                      \
        attention_gradients<T, false>(dy, qkv, lse, statistics, dqkv, rows, heads, time, d, scale, drop);               \
    }                                                                                                                   \
    KERNEL attention_keys_##NAME(                                                                                       \
            const T* dy, const T* qkv, const float* lse, const Statistics* statistics, T* dqkv, i64 rows, int heads, int time, \
            int d, float scale, u64 key, u64 first, float rate, float keepScale) {                                      \
        Drop drop = {key, first, rate, keepScale};                                                                      \
        attention_gradients<T, true>(dy, qkv, lse, statistics, dqkv, rows, heads, time, d, scale, drop);                \
    }
INSTANCES(float, f32)
INSTANCES(bf16, bf16)
INSTANCES(f16, f16)
