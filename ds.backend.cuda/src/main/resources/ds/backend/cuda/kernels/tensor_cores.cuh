// Tiles of matrices on their way to tensor cores, sm_80 and later: what products of warps and of warpgroups share. Put behind common.cuh.

#ifndef DS_EMULATED
__device__ inline u32 shared_address(const void* p) {
    return (u32)__cvta_generic_to_shared(p);
}
// Four 8 by 8 matrices; lane l gives the address of row l % 8 of matrix l / 8.
__device__ inline void load_matrices(u32 (&m)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
                 : "r"(shared_address(row))
                 : "memory");
}
__device__ inline void load_transposed(u32 (&m)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
                 : "r"(shared_address(row))
                 : "memory");
}
// 16 bytes to shared memory, of which the first `bytes` are copied and the others become 0; there once the group is waited for.
__device__ inline void copy_async(void* to, const void* from, int bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(bytes) : "memory");
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

// 16 by 16 of a product's result, rounded to a first factor: `two` neighbours of 8 columns each. Their fragments are the same.
template <class T>
__device__ inline void first_factor_of(u32 (&a)[4], const float (&left)[4], const float (&right)[4]) {
    a[0] = pair<T>(left[0], left[1]);
    a[1] = pair<T>(left[2], left[3]);
    a[2] = pair<T>(right[0], right[1]);
    a[3] = pair<T>(right[2], right[3]);
}

// Begins to copy the tile's rows from `first` on, of `d` elements each, by a block of THREADS; what lies beyond `limit` rows or d elements
// becomes 0. A thread copies 16 bytes of a row, and the same columns of other rows: some threads have none where a row has 12 or 20 pieces.
template <int THREADS, class T, class Tile>
__device__ inline void fill(const Tile& tile, const T* from, i64 rowStride, int first, int limit, int d) {
    const int PIECES = Tile::COLUMNS / 8, AT_ONCE = THREADS / PIECES; // rows
    int row = threadIdx.x / PIECES, column = threadIdx.x % PIECES * 8;
    if (THREADS % PIECES != 0 && row >= AT_ONCE) return;
    const T* source = from + (first + row) * rowStride + column;
    if (d % 8 == 0 && rowStride % 8 == 0 && aligned(from, 16)) {
#pragma unroll
        for (int k = 0; k < (Tile::ROWS + AT_ONCE - 1) / AT_ONCE; k++, row += AT_ONCE, source += AT_ONCE * rowStride) {
            if (Tile::ROWS % AT_ONCE != 0 && row >= Tile::ROWS) break;
            bool inside = first + row < limit && column < d;
            copy_async(tile.place(row, column), inside ? source : from, inside ? 16 : 0);
        }
        return;
    }
#pragma unroll 1
    for (; row < Tile::ROWS; row += AT_ONCE, source += AT_ONCE * rowStride) {
        int count = first + row < limit ? d - column : 0;
        Pack<T, 8> pack;
#pragma unroll
        for (int k = 0; k < 8; k++) {
            pack.v[k].bits = 0;
            if (k < count) pack.v[k] = source[k];
        }
        *reinterpret_cast<Pack<T, 8>*>(tile.place(row, column)) = pack;
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
