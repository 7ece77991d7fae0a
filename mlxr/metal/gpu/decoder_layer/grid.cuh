// A barrier over all blocks of a grid, of which every one must have a place on the device at once.
//
// A barrier raises one counter by ROUND, however many blocks there are: it is left as the next barrier begins with it, and
// a kernel runs any number of times without anybody's zeroing it. What blocks wrote before they arrive all see behind
// their wait.
#pragma once

namespace decoder_layer {

constexpr unsigned ROUND = 4096;

// Words of the grid's state, in lines of their own.
enum State { BLOCKS = 0, ROWS = 32, MILD = 64, BROKEN = 96 };

// Turns of a block that waits, some seconds: a grid that has not its place ends by itself.
constexpr unsigned MOST_TURNS = 1u << 22;

__device__ inline unsigned looked_at(const unsigned* word) {
    unsigned value;
    asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(word) : "memory");
    return value;
}

// Adds to a word, which tells of all that the block did before its last barrier.
__device__ inline unsigned tell(unsigned* word, unsigned by) {
    unsigned before;
    asm volatile("atom.add.release.gpu.global.u32 %0, [%1], %2;" : "=r"(before) : "l"(word), "r"(by) : "memory");
    return before;
}

// Behind what was looked at, for the block's next barrier.
__device__ inline void hear() { asm volatile("fence.acq_rel.gpu;" ::: "memory"); }

// Whether a thread that has waited so many turns need not wait any longer: where it would for ever, the kernel fails, or,
// where the state is MILD, goes on with wrong results and says so.
__device__ inline bool in_vain(unsigned* state, unsigned turns) {
    if (turns % 1024 || (turns < MOST_TURNS && !looked_at(state + BROKEN))) return false;
    if (!looked_at(state + MILD)) asm volatile("trap;");
    tell(state + BROKEN, 1);
    return true;
}

// One block's part in the barriers of a kernel. A barrier is an arrival and a wait, and a block may do what it likes
// between them.
struct Grid {
    unsigned* state;
    unsigned round;  // what the counter has before the barrier that the block arrived at

    __device__ inline void arrive() {
        __syncthreads();
        if (threadIdx.x != 0) return;
        round = tell(state + BLOCKS, blockIdx.x == 0 ? ROUND - (gridDim.x - 1) : 1) / ROUND * ROUND;
    }

    __device__ inline void wait() {
        if (threadIdx.x == 0) {
            unsigned turns = 0;
            while (looked_at(state + BLOCKS) - round < ROUND && !in_vain(state, ++turns)) {
            }
            hear();
        }
        __syncthreads();
    }

    // Likewise of the first `rows` blocks, which arrive, and all, which wait, by a counter whose top bit flips. There must
    // be an even number of these in a kernel, `odd` every other one, and none without a barrier of all blocks between.
    __device__ inline void arrive_of_rows(int rows) {
        __syncthreads();
        if (threadIdx.x != 0) return;
        tell(state + ROWS, blockIdx.x == 0 ? 0x80000000u - (rows - 1) : 1);
    }

    __device__ inline void wait_for_rows(bool odd) {
        if (threadIdx.x == 0) {
            unsigned turns = 0;
            while (looked_at(state + ROWS) >> 31 == unsigned(odd) && !in_vain(state, ++turns)) {
            }
            hear();
        }
        __syncthreads();
    }
};

}  // namespace decoder_layer
