// Steps of what keeps a state, in place of the states, for CUDA; __init__.py says what is computed.

namespace recurrence {

__device__ inline float whole(float x) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(~0u, x, step);
    return x;
}

__device__ inline float silu(float x) { return x / (1 + expf(-x)); }

__device__ inline float softplus(float x) { return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x))); }

// What a step does with one sequence: its rows, and the pages of its state before and after, below 0 for none.
struct Sequence {
    int first, end, from, to;
    __device__ inline Sequence(const int* layout, int number) {
        const int4 four = ((const int4*)layout)[number];
        first = four.x, end = four.y, from = four.z, to = four.w;
    }
};

// The short convolution of one channel, behind SiLU. A state begins with the last inputs, [TAPS - 1][CHANNELS].
template <int CHANNELS, int TAPS, int WIDTH, bool BIASED>
__device__ inline void convolve(
    const __half* x, const float* taps, const float* bias, const int* layout, float* states, size_t state_size, float* out
) {
    const int channel = blockIdx.x * blockDim.x + threadIdx.x;
    if (channel >= CHANNELS) return;
    const Sequence sequence(layout, blockIdx.y);
    const float* before = states + size_t(sequence.from) * state_size;
    float seen[TAPS], by[TAPS];
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap) by[tap] = taps[channel * TAPS + tap];
#pragma unroll
    for (int tap = 0; tap < TAPS - 1; ++tap) seen[tap] = sequence.from < 0 ? 0.0f : before[tap * CHANNELS + channel];
    for (int row = sequence.first; row < sequence.end; ++row) {
        seen[TAPS - 1] = __half2float(x[size_t(row) * WIDTH + channel]);
        float sum = BIASED ? bias[channel] : 0.0f;
#pragma unroll
        for (int tap = 0; tap < TAPS; ++tap) sum += seen[tap] * by[tap];
        out[size_t(row) * CHANNELS + channel] = silu(sum);
#pragma unroll
        for (int tap = 0; tap < TAPS - 1; ++tap) seen[tap] = seen[tap + 1];
    }
    if (sequence.to < 0) return;
#pragma unroll
    for (int tap = 0; tap < TAPS - 1; ++tap)
        states[size_t(sequence.to) * state_size + tap * CHANNELS + channel] = seen[tap];
}

// One head of one sequence by a block. A thread has one column of values and one of PARTS shares of the keys, whose
// numbers of the state it keeps from the first row to the last.
template <int KEY_HEADS, int VALUE_HEADS, int KEY_DIM, int VALUE_DIM, int HISTORY, int GATES_WIDTH, int RATES_WIDTH, bool TILED>
struct Delta {
    static constexpr int PARTS = 4, EACH = KEY_DIM / PARTS, THREADS = VALUE_DIM * PARTS, WARPS = THREADS / 32;
    static constexpr int KEYS = KEY_HEADS * KEY_DIM, VALUES = VALUE_HEADS * VALUE_DIM, CHANNELS = 2 * KEYS + VALUES;
    static constexpr size_t STATE_SIZE = HISTORY + size_t(VALUE_HEADS) * KEY_DIM * VALUE_DIM;
    static_assert(VALUE_DIM % 32 == 0 && KEY_DIM % PARTS == 0 && WARPS >= 2);

    // mixed: queries, keys and values, behind the convolution. gates, rates: of the first row, as long as their WIDTHs; of
    // rates alphas, then betas.
    // constants: the norm's epsilon, three that are not used, its weights, what decays are multiplied by, and what is
    // added to alphas.
    __device__ static inline void run(
        const float* mixed, const __half* gates, const __half* rates, const float* constants, const int* layout,
        float* states, __half* out
    ) {
        __shared__ float queries[KEY_DIM];
        __shared__ float keys[KEY_DIM];
        __shared__ float parts[2][PARTS][VALUE_DIM];
        __shared__ float factors[2];
        __shared__ float squares[VALUE_DIM / 32];
        const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, head = blockIdx.x;
        const int column = threadIdx.x % VALUE_DIM, part = threadIdx.x / VALUE_DIM;
        const int key_head = TILED ? head % KEY_HEADS : head / (VALUE_HEADS / KEY_HEADS);
        const float* norm = constants + 4;
        const Sequence sequence(layout, blockIdx.y);
        const size_t place = HISTORY + (size_t(head) * KEY_DIM + part * EACH) * VALUE_DIM + column;
        const float* before = states + size_t(sequence.from) * STATE_SIZE + place;
        float state[EACH];
#pragma unroll
        for (int i = 0; i < EACH; ++i) state[i] = sequence.from < 0 ? 0.0f : before[i * VALUE_DIM];
        const float rate = constants[4 + VALUE_DIM + head], shift = constants[4 + VALUE_DIM + VALUE_HEADS + head];
        for (int row = sequence.first; row < sequence.end; ++row) {
            const float* given = mixed + size_t(row) * CHANNELS;
            const __half* more = rates + size_t(row) * RATES_WIDTH;
            if (warp < 2) {  // one has queries, one keys
                const float* from = given + warp * KEYS + key_head * KEY_DIM;
                float* to = warp ? keys : queries;
                float square = 0;
                for (int i = lane; i < KEY_DIM; i += 32) {
                    const float x = from[i];
                    to[i] = x, square += x * x;
                }
                square = whole(square);
                if (lane == 0) factors[warp] = rsqrtf(square + 1e-6f) * (warp ? 1.0f : rsqrtf(float(KEY_DIM)));
            }
            const float decay = expf(rate * softplus(__half2float(more[head]) + shift));
            const float beta = 1 / (1 + expf(-__half2float(more[VALUE_HEADS + head])));
            const float value = given[2 * KEYS + head * VALUE_DIM + column];
            __syncthreads();
            const float query_factor = factors[0], key_factor = factors[1];
            float read = 0;
#pragma unroll
            for (int i = 0; i < EACH; ++i) {
                state[i] *= decay;
                read += keys[part * EACH + i] * state[i];
            }
            parts[0][part][column] = read;
            __syncthreads();
            read = 0;
#pragma unroll
            for (int p = 0; p < PARTS; ++p) read += parts[0][p][column];
            const float change = beta * (value - read * key_factor) * key_factor;
            float sum = 0;
#pragma unroll
            for (int i = 0; i < EACH; ++i) {
                state[i] += keys[part * EACH + i] * change;
                sum += queries[part * EACH + i] * state[i];
            }
            parts[1][part][column] = sum;
            __syncthreads();
            if (part == 0) {  // whole warps
                sum = 0;
#pragma unroll
                for (int p = 0; p < PARTS; ++p) sum += parts[1][p][column];
                sum *= query_factor;
                const float square = whole(sum * sum);
                if (lane == 0) squares[warp] = square;
            }
            __syncthreads();
            if (part == 0) {
                float square = 0;
#pragma unroll
                for (int w = 0; w < VALUE_DIM / 32; ++w) square += squares[w];
                const float gate = __half2float(gates[size_t(row) * GATES_WIDTH + head * VALUE_DIM + column]);
                const float normed = sum * rsqrtf(square / VALUE_DIM + constants[0]) * norm[column];
                out[size_t(row) * VALUES + head * VALUE_DIM + column] = __float2half(normed * silu(gate));
            }
        }
        if (sequence.to < 0) return;
        float* after = states + size_t(sequence.to) * STATE_SIZE + place;
#pragma unroll
        for (int i = 0; i < EACH; ++i) after[i * VALUE_DIM] = state[i];
    }
};

// One head of one sequence by a block, as in Delta: PARTS shares of the state's rows.
template <int HEADS, int HEAD_DIM, int GROUPS, int STATE, int HISTORY>
struct Mamba2 {
    static constexpr int PARTS = 4, EACH = STATE / PARTS, THREADS = HEAD_DIM * PARTS, INNER = HEADS * HEAD_DIM;
    static constexpr int CHANNELS = INNER + 2 * GROUPS * STATE;
    static constexpr size_t STATE_SIZE = HISTORY + size_t(INNER) * STATE;
    static_assert(STATE % PARTS == 0);

    __device__ static inline void run(
        const float* mixed, const float* steps, const float* decay, const float* skip, const int* layout, float* states,
        float* out
    ) {
        __shared__ float parts[PARTS][HEAD_DIM];
        const int head = blockIdx.x, group = head / (HEADS / GROUPS);
        const int column = threadIdx.x % HEAD_DIM, part = threadIdx.x / HEAD_DIM;
        const Sequence sequence(layout, blockIdx.y);
        const size_t place = HISTORY + (size_t(head) * STATE + part * EACH) * HEAD_DIM + column;
        const float* before = states + size_t(sequence.from) * STATE_SIZE + place;
        float state[EACH];
#pragma unroll
        for (int i = 0; i < EACH; ++i) state[i] = sequence.from < 0 ? 0.0f : before[i * HEAD_DIM];
        for (int row = sequence.first; row < sequence.end; ++row) {
            const float* given = mixed + size_t(row) * CHANNELS;
            const float* writes = given + INNER + group * STATE + part * EACH;
            const float* reads = writes + GROUPS * STATE;
            const float step = steps[size_t(row) * HEADS + head], value = given[head * HEAD_DIM + column];
            const float keeps = expf(step * decay[head]), taken = step * value;
            float sum = 0;
#pragma unroll
            for (int i = 0; i < EACH; ++i) {
                state[i] = keeps * state[i] + writes[i] * taken;
                sum += reads[i] * state[i];
            }
            parts[part][column] = sum;
            __syncthreads();
            if (part == 0) {
                sum = 0;
#pragma unroll
                for (int p = 0; p < PARTS; ++p) sum += parts[p][column];
                out[size_t(row) * INNER + head * HEAD_DIM + column] = sum + skip[head] * value;
            }
            __syncthreads();
        }
        if (sequence.to < 0) return;
        float* after = states + size_t(sequence.to) * STATE_SIZE + place;
#pragma unroll
        for (int i = 0; i < EACH; ++i) after[i * HEAD_DIM] = state[i];
    }
};

}  // namespace recurrence
