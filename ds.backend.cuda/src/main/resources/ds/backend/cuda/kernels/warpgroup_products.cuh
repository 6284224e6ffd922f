// Products by warpgroups, sm_90a alone: wgmma. Four warps multiply 64 rows of their own side, 16 of a warp, with a tile that the tensor cores
// read from shared memory by themselves, while the warps do not wait. Fragments of results and of first factors are those of mma.m16n8k16.

#if defined(DS_EMULATED) || defined(__CUDA_ARCH_FEAT_SM90_ALL)

#define TOGETHER 4 // warps that multiply together
#define SWIZZLE 64 // elements of a row in shared memory, 128 bytes, whose pieces of 16 bytes change places from row to row

#ifndef DS_EMULATED
// c (+)= a b, in the background: a is 64 by 16, b 16 by 64 or 128, described where they lie in shared memory (PTX ISA, "wgmma.mma_async"). With
// `add` 0 what c was does not count.
#define COLUMNS_8(c, n) "+f"(c[n][0]), "+f"(c[n][1]), "+f"(c[n][2]), "+f"(c[n][3])
#define COLUMNS_64(c, n)                                                                                                 \
    COLUMNS_8(c, n), COLUMNS_8(c, n + 1), COLUMNS_8(c, n + 2), COLUMNS_8(c, n + 3), COLUMNS_8(c, n + 4),                 \
            COLUMNS_8(c, n + 5), COLUMNS_8(c, n + 6), COLUMNS_8(c, n + 7)
#define REGISTERS_64 \
    "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26," \
    "%27,%28,%29,%30,%31"
#define REGISTERS_128 \
    "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26," \
    "%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51," \
    "%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define WGMMA(T, NAME)                                                                                                    \
    __device__ inline void wgmma(T, float (&c)[8][4], u64 a, u64 b, int add) {                                           \
        asm volatile("{.reg .pred p; setp.ne.b32 p, %34, 0;\n"                                                           \
                     "wgmma.mma_async.sync.aligned.m64n64k16.f32." NAME "." NAME " {" REGISTERS_64 "}, "                 \
                     "%32, %33, p, 1, 1, 0, 0;}"                                                                        \
                     : COLUMNS_64(c, 0)                                                                                  \
                     : "l"(a), "l"(b), "r"(add));                                                                        \
    }                                                                                                                    \
    template <bool TRANSPOSED>                                                                                           \
    __device__ inline void wgmma(T, float (&c)[8][4], const u32 (&a)[4], u64 b, int add) {                               \
        asm volatile("{.reg .pred p; setp.ne.b32 p, %37, 0;\n"                                                           \
                     "wgmma.mma_async.sync.aligned.m64n64k16.f32." NAME "." NAME " {" REGISTERS_64 "}, "                 \
                     "{%32,%33,%34,%35}, %36, p, 1, 1, %38;}"                                                           \
                     : COLUMNS_64(c, 0)                                                                                  \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add), "n"((int)TRANSPOSED));              \
    }                                                                                                                    \
    template <bool TRANSPOSED>                                                                                           \
    __device__ inline void wgmma(T, float (&c)[16][4], const u32 (&a)[4], u64 b, int add) {                              \
        asm volatile("{.reg .pred p; setp.ne.b32 p, %69, 0;\n"                                                           \
                     "wgmma.mma_async.sync.aligned.m64n128k16.f32." NAME "." NAME " {" REGISTERS_128 "}, "               \
                     "{%64,%65,%66,%67}, %68, p, 1, 1, %70;}"                                                           \
                     : COLUMNS_64(c, 0), COLUMNS_64(c, 8)                                                                \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add), "n"((int)TRANSPOSED));              \
    }
WGMMA(bf16, "bf16")
WGMMA(f16, "f16")

// Sums that products under way write: neither reads nor writes of them pass by this point.
template <int C>
__device__ inline void hold(float (&sum)[C][4]) {
#pragma unroll
    for (int n = 0; n < C; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) asm volatile("" : "+f"(sum[n][e])::"memory");
}
// Before products that read or write registers with which something else has been done.
__device__ inline void begin_products() {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ inline void end_products() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
__device__ inline void await_all_products() {
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
}
// A barrier for two warpgroups beside that of the block: counts threads, and those of `arrive` do not wait.
__device__ inline void arrive_at_turn() {
    asm volatile("bar.arrive 1, 256;" ::: "memory");
}
__device__ inline void await_turn() {
    asm volatile("bar.sync 1, 256;" ::: "memory");
}
__device__ inline void fence_proxy_async() {
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
#endif

// Before the barrier behind which tiles that this thread has copied are used: the tensor cores do not see them otherwise.
__device__ inline void publish_copies() {
    fence_proxy_async();
}

// What a product is told of a matrix in shared memory whose rows of 128 bytes are swizzled: where it begins, how far eight rows are from the
// next eight, and, where it is read transposed, 64 of its columns from the next 64.
__device__ inline u64 description(const void* begin, u32 nextColumns) {
    const u64 swizzled = 1ull << 62, nextRows = 8 * 128 / 16;
    return swizzled | nextRows << 32 | (u64)(nextColumns / 16) << 16 | (shared_address(begin) >> 4 & 0x3fff);
}

// A tile of N rows of D elements: one behind the other for each 64 columns. Begins at a multiple of 1024 bytes.
template <class T, int N, int D>
struct Tile {
    static const int ROWS = N, COLUMNS = D, BYTES = N * D * sizeof(T);
    T* rows;

    __device__ T* place(int row, int column) const {
        return rows + column / SWIZZLE * (N * SWIZZLE) + row * SWIZZLE + (column / 8 ^ row) % 8 * 8;
    }
    // 16 columns of depth from 16 step on, of rows from `row` on, which is a multiple of 8.
    __device__ u64 depth(int row, int step) const {
        return description(rows + step / 4 * (N * SWIZZLE) + row * SWIZZLE + step % 4 * 16, 0);
    }
    // As the second factor: depth is rows [row, row + 16).
    __device__ u64 second(int row) const {
        return description(rows + row * SWIZZLE, N * 128);
    }
};

#define ALIGNING_BYTES 1023 // at most before the first tile
// The first of a block's tiles.
__device__ inline unsigned char* first_tile(unsigned char* memory) {
    return memory + (0 - shared_address(memory)) % 1024;
}

// 64 rows of a warpgroup, of a tile of N, as a first factor: in shared memory, or 16 of each warp KEPT in registers.
template <class T, int N, int D, int M, bool KEPT>
struct Own {
    Tile<T, N, D> tile;
    int row; // of the warp's 16

    __device__ void load() {}
    template <int C>
    __device__ void multiply(float (&s)[C][4], u64 b, int step) const {
        wgmma(T(), s, tile.depth(row / 64 * 64, step), b, step > 0);
    }
};
template <class T, int N, int D, int M>
struct Own<T, N, D, M, true> {
    Tile<T, N, D> tile;
    int row;
    u32 all[D / 16][4];

    // Once the tile is there.
    __device__ void load() {
        int lane = threadIdx.x % 32;
#pragma unroll
        for (int step = 0; step < D / 16; step++)
            load_matrices(all[step], tile.place(row + lane % 16, 16 * step + lane / 16 * 8));
    }
    template <int C>
    __device__ void multiply(float (&s)[C][4], u64 b, int step) const {
        wgmma<false>(T(), s, all[step], b, step > 0);
    }
};

// s = the own rows times those of b, transposed; there after `await_products`.
template <class T, int OWN, int N, int D, bool KEPT>
__device__ inline void scores(float (&s)[1][N / 8][4], const Own<T, OWN, D, 1, KEPT>& own, const Tile<T, N, D>& b) {
    begin_products();
#pragma unroll
    for (int step = 0; step < D / 16; step++) own.multiply(s[0], b.depth(0, step), step);
    end_products();
}

// sum += p, as `scores` leaves it, times the rows of b; there after `await_products`.
template <class T, int N, int D>
__device__ inline void add_product(float (&sum)[1][D / 8][4], const float (&p)[1][N / 8][4], const Tile<T, N, D>& b) {
    u32 a[N / 16][4];
#pragma unroll
    for (int step = 0; step < N / 16; step++) first_factor_of<T>(a[step], p[0][2 * step], p[0][2 * step + 1]);
    hold(sum[0]);
    begin_products();
#pragma unroll
    for (int step = 0; step < N / 16; step++) wgmma<true>(T(), sum[0], a[step], b.second(16 * step), 1);
    end_products();
}

template <class... Sums>
__device__ inline void await_products(Sums&... sums) {
    await_all_products();
    (hold(sums[0]), ...);
}

// The second of a block's two warpgroups begins with a tile's scores when the first has begun with its own: so that one multiplies while the
// other computes exponentials, and not both do the same. Each takes or skips its turn once for every tile.
template <int WARPS>
struct Turns {
    static const bool TWO = WARPS == 8;

    __device__ static bool second() {
        return threadIdx.x >= 128;
    }
    __device__ static void await() {
        if (TWO && second()) await_turn();
    }
    __device__ static void pass() {
        if (TWO && !second()) arrive_at_turn();
    }
    __device__ static void skip() { // so that at every turn one waits and one does not
        await();
        pass();
    }
};
#endif
