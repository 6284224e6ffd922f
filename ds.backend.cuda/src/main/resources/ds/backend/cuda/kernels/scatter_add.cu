// table[index[i], :] += x[i, :]. Each row of the table is summed by one block, in the order of i. No atomics, and no sorting.

#define BUCKETS 256 // as ds.backend.cuda.ScatterAdd has them, and the columns of a block; bucket_of gives 8 bits

// Of an index: where it is in the list of all, and what it is.
struct __align__(8) Entry {
    int position, row;
};

// Rows in any pattern are spread: the upper bits of a product with 2^32 / 1.618...
__device__ inline int bucket_of(int row) {
    return (u32)row * 2654435769u >> 24;
}

// A block of 1024 threads for each bucket, which reads the index twice: `lists` is [count], the places of bucket after bucket, each in
// order of their positions; those of bucket b begin at begins[b].
KERNEL __launch_bounds__(1024) list_entries(const int* index, int count, int* begins, Entry* lists) {
    __shared__ int shared[32];
    __shared__ int counts[32];
    int bucket = blockIdx.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int lower = 0;
#pragma unroll 8
    for (i64 i = threadIdx.x; i < count; i += 1024) lower += bucket_of(index[i]) < bucket;
    int end = block_sum(lower, shared);
    if (threadIdx.x == 0) begins[bucket] = end;

    for (i64 base = 0; base < count; base += 4 * 1024) {
        i64 i = base + 4 * threadIdx.x;
        int row[4], before = 0, ofWarp = 0;
        bool hit[4];
#pragma unroll
        for (int k = 0; k < 4; k++) {
            row[k] = i + k < count ? index[i + k] : 0;
            hit[k] = i + k < count && bucket_of(row[k]) == bucket;
        }
#pragma unroll
        for (int k = 0; k < 4; k++) {
            u32 ballot = __ballot_sync(0xffffffffu, hit[k]);
            before += __popc(ballot & ((1u << lane) - 1));
            ofWarp += __popc(ballot);
        }
        if (lane == 0) counts[warp] = ofWarp;
        __syncthreads();
        int slot = end + warp_sum(lane < warp ? counts[lane] : 0) + before;
#pragma unroll
        for (int k = 0; k < 4; k++) {
            Entry entry = {(int)(i + k), row[k]};
            if (hit[k]) lists[slot++] = entry;
        }
        end += warp_sum(counts[lane]);
        __syncthreads(); // before the next counts
    }
}

// Adds four columns of rows of x, in their order. As many as AT_ONCE are loaded before the first of them is added: a token that is
// everywhere in the batch has one block, which would wait for each of its rows.
template <class T, int AT_ONCE>
__device__ inline void add_rows(const T* x, const int* rows, int count, i64 columns, float (&sum)[4]) {
    for (; count >= AT_ONCE; rows += AT_ONCE, count -= AT_ONCE) {
        Pack<T, 4> v[AT_ONCE];
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++) v[k] = *reinterpret_cast<const Pack<T, 4>*>(x + rows[k] * columns);
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++) {
#pragma unroll
            for (int e = 0; e < 4; e++) sum[e] += to_float(v[k].v[e]);
        }
    }
    if constexpr (AT_ONCE > 1) add_rows<T, AT_ONCE / 2>(x, rows, count, columns, sum);
}

// A block of 256 threads for each position and 1024 columns, which looks for its equals in its bucket, or in the whole index where there
// are no lists. If it is not itself the first of them, it ends. Five of them a multiprocessor: most only look and end.
KERNEL __launch_bounds__(256, 5) scatter_add_rows(
        const void* x, int xt, const int* index, const int* begins, const Entry* lists, void* table, int tt, int count, i64 columns) {
    __shared__ int matches[256];
    __shared__ int counts[8];
    int own = blockIdx.x, row = index[own], lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int bucket = bucket_of(row);
    int begin = lists ? begins[bucket] : 0;
    int end = lists && bucket + 1 < BUCKETS ? begins[bucket + 1] : count;

    i64 c = 1024 * (i64)blockIdx.y + 4 * threadIdx.x;
    int n = c < columns ? count4(c, columns) : 0;
    bool xq = columns % 4 == 0 && quads(x, xt), tq = columns % 4 == 0 && quads(table, tt);
    float sum[4];
    bool found = false;
    for (int base = begin; base < end; base += 256) {
        int i = base + threadIdx.x;
        Entry entry = {i, ~row};
        if (i < end) {
            if (lists) entry = lists[i];
            else entry.row = index[i];
        }
        bool hit = entry.row == row;
        u32 ballot = __ballot_sync(0xffffffffu, hit);
        if (lane == 0) counts[warp] = __popc(ballot);
        __syncthreads();
        int before = 0, total = 0;
        for (int w = 0; w < 8; w++) {
            before += w < warp ? counts[w] : 0;
            total += counts[w];
        }
        if (hit) matches[before + __popc(ballot & ((1u << lane) - 1))] = entry.position;
        __syncthreads();
        if (total > 0 && !found) {
            if (matches[0] != own) return;
            if (n > 0) load4(table, tt, tq, row * columns + c, n, sum);
            found = true;
        }
        if (n > 0 && xq && xt == F32) add_rows<float, 8>((const float*)x + c, matches, total, columns, sum);
        else if (n > 0 && xq && xt == BF16) add_rows<bf16, 16>((const bf16*)x + c, matches, total, columns, sum);
        else if (n > 0 && xq) add_rows<f16, 16>((const f16*)x + c, matches, total, columns, sum);
        else if (n > 0) {
            for (int m = 0; m < total; m++) {
                float v[4];
                load4(x, xt, false, matches[m] * columns + c, n, v);
#pragma unroll
                for (int k = 0; k < 4; k++) sum[k] += v[k];
            }
        }
    }
    if (n > 0) store4(table, tt, tq, row * columns + c, n, sum);
}
