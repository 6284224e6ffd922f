// Products by warps, sm_80 and later: mma.m16n8k16. A warp has M times 16 rows of its own side; of the other side, a tile in shared memory, it
// reads fragments (ldmatrix), which takes as long as a product of 16 rows: so what is read serves M of them.

#if defined(DS_EMULATED) || __CUDA_ARCH__ >= 800

#define TOGETHER 1 // warps that multiply together

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
#endif

// A tile of N rows of D elements, at a stride of which eight multiples lie in different banks.
template <class T, int N, int D>
struct Tile {
    static const int ROWS = N, COLUMNS = D, STRIDE = D + 8, BYTES = N * STRIDE * sizeof(T);
    T* rows;

    __device__ T* place(int row, int column) const {
        return rows + row * STRIDE + column;
    }
    // Rows [row, row + 16) and columns [16 step, 16 step + 16) as the first factor.
    __device__ void first_factor(u32 (&a)[4], int row, int step) const {
        int lane = threadIdx.x % 32;
        load_matrices(a, place(row + lane % 16, 16 * step + lane / 16 * 8));
    }
    // As the transposed second factor: 8 columns of the product are rows [row, row + 8); 32 of depth from 16 step on.
    __device__ void second_transposed(u32 (&b)[4], int row, int step) const {
        int lane = threadIdx.x % 32;
        load_matrices(b, place(row + lane % 8, 16 * step + lane / 8 * 8));
    }
    // As the second factor: depth is rows [row, row + 16), 16 columns of the product from `column` on.
    __device__ void second(u32 (&b)[4], int row, int column) const {
        int lane = threadIdx.x % 32;
        load_transposed(b, place(row + lane % 16, column + lane / 16 * 8));
    }
};

#define ALIGNING_BYTES 0
// The first of a block's tiles.
__device__ inline unsigned char* first_tile(unsigned char* memory) {
    return memory;
}
// Before the barrier behind which tiles that this thread has copied are used.
__device__ inline void publish_copies() {}

// M times 16 rows of a warp, of a tile of N, as a first factor: read from shared memory whenever they are asked for, or KEPT in registers.
template <class T, int N, int D, int M, bool KEPT>
struct Own {
    Tile<T, N, D> tile;
    int row;

    __device__ void load() {}
    __device__ void get(u32 (&a)[4], int m, int step) const {
        tile.first_factor(a, row + 16 * m, step);
    }
};
template <class T, int N, int D, int M>
struct Own<T, N, D, M, true> {
    Tile<T, N, D> tile;
    int row;
    u32 all[M][D / 16][4];

    // Once the tile is there.
    __device__ void load() {
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int step = 0; step < D / 16; step++) tile.first_factor(all[m][step], row + 16 * m, step);
    }
    __device__ void get(u32 (&a)[4], int m, int step) const {
#pragma unroll
        for (int k = 0; k < 4; k++) a[k] = all[m][step][k];
    }
};

// s = the own rows times those of b, transposed; there after `await_products`.
template <class T, int OWN, int N, int D, int M, bool KEPT>
__device__ inline void scores(float (&s)[M][N / 8][4], const Own<T, OWN, D, M, KEPT>& own, const Tile<T, N, D>& b) {
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
            own.get(low[m], m, step);
            own.get(high[m], m, step + 1);
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

// sum += p, as `scores` leaves it, times the rows of b; there after `await_products`.
template <class T, int N, int D, int M>
__device__ inline void add_product(float (&sum)[M][D / 8][4], const float (&p)[M][N / 8][4], const Tile<T, N, D>& b) {
#pragma unroll
    for (int step = 0; step < N / 16; step++) {
        u32 a[M][4];
#pragma unroll
        for (int m = 0; m < M; m++) first_factor_of<T>(a[m], p[m][2 * step], p[m][2 * step + 1]);
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

template <class... Sums>
__device__ inline void await_products(Sums&...) {}

// Nothing is gained by warps that wait for each other: more of them are there than tensor cores.
template <int WARPS>
struct Turns {
    __device__ static void await() {}
    __device__ static void pass() {}
    __device__ static void skip() {}
};
#endif
