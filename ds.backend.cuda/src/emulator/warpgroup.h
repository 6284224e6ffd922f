// Products of warpgroups for the host, as the PTX ISA states them: nothing has happened until they are waited for, and operands in shared
// memory are found by their descriptions, swizzled by address. Included by device.h.
#pragma once

namespace emulated {
constexpr unsigned SHARED_BASE = 1024 + 192; // where a block's dynamic shared memory begins: not at what products need

[[noreturn]] inline void fail(const char* what);
inline unsigned char* dynamic_shared;

inline unsigned shared_offset(const void* p) {
    return (unsigned)((const unsigned char*)p - dynamic_shared) + SHARED_BASE;
}

// An element of a matrix in shared memory; `row` and `column` as it lies there: rows of 64 elements, 128 bytes.
inline unsigned short described(uint64_t description, unsigned row, unsigned column) {
    if (description >> 62 != 1) fail("a product's matrix is not swizzled by 128 bytes");
    unsigned begin = (description & 0x3fff) << 4, next_columns = (description >> 16 & 0x3fff) << 4, next_rows = (description >> 32 & 0x3fff) << 4;
    unsigned address = begin + row / 8 * next_rows + row % 8 * 128 + column / 64 * next_columns + column % 64 * 2;
    address ^= (address >> 7 & 7) << 4;
    unsigned short element;
    memcpy(&element, dynamic_shared + (address - SHARED_BASE), 2);
    return element;
}

// One that was begun: c (+)= a b for 64 rows, of which the warp has 16.
struct Product {
    float (*c)[4];
    int columns8;
    bool a_in_registers, transposed, add, committed;
    unsigned a_registers[4];
    uint64_t a, b;
    float (*value)(unsigned short);

    void run(unsigned number, const unsigned char (*lanes)[64]) const {
        unsigned lane = number % 32, warp = number / 32 % 4;
        for (int n = 0; n < columns8; n++)
            for (int e = 0; e < 4; e++) {
                unsigned row = lane / 4 + e / 2 * 8, column = 8 * n + lane % 4 * 2 + e % 2;
                float sum = 0;
                for (unsigned k = 0; k < 16; k++) {
                    unsigned short left;
                    if (a_in_registers) // as mma's: registers 0 and 2 hold rows 0 to 7, 1 and 3 rows 8 to 15; 2 and 3 hold columns 8 to 15
                        memcpy(&left, lanes[row % 8 * 4 + k % 8 / 2] + 4 * (row / 8 + k / 8 * 2) + 2 * (k % 2), 2);
                    else
                        left = described(a, 16 * warp + row, k);
                    sum += value(left) * value(transposed ? described(b, k, column) : described(b, column, k));
                }
                c[n][e] = add ? c[n][e] + sum : sum;
            }
    }
};
} // namespace emulated
