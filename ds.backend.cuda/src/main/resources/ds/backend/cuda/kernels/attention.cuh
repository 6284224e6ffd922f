// What all kernels of attention share. Put behind common.cuh.

#define MINUS_INFINITY of_bits(0xff800000u)

// Of probabilities.
struct Drop {
    u64 random;
    u64 first;
    float rate; // 0 for none
    float scale;

    __device__ bool keeps(i64 head, int time, int query, int key) const {
        return uniform_of(random, first + (u64)((head * time + query) * time + key)) >= rate;
    }
};

// What the backward pass takes of a query's row: the negative logSumExp in units of log2, and the sum over the head of dy · y.
struct __align__(8) Statistics {
    float exponent;
    float mean;
};
