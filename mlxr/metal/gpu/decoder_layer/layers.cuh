// Dense layers, one after another, in a step of one token a sequence; __init__.py says what is computed.

namespace decoder_layer {

// What stands before a layer's constants.
using Pointer = const void*;

enum Constant { NORM_EPS, GATES_EPS, OUTPUT_GAIN, GATES_GAIN, DOWN_GAIN, CONSTANTS = 8 };

__host__ __device__ constexpr int whole_fours(int count) { return (count + 3) / 4 * 4; }

// Where queries, keys or values are in what the projections give: in a product with BEFORE outputs before it and EACH of
// its own, from output AT on.
template <int BEFORE, int EACH, int AT>
struct Part {
    __device__ static inline const __half* of(const __half* projected, int room, int row) {
        return projected + size_t(room) * BEFORE + size_t(row) * EACH + AT;
    }
};

// First, Second, Third: of queries, keys and values, as many products as they are. ROWS: there is room for so many; of
// one row every block norms by itself. Gates and Down have no OUTPUTS where a layer ends behind its attention, or,
// with EXPERTS, behind the choice of these.
template <
    typename Step, typename First, typename Second, typename Third, typename Output, typename Gates, typename Down, int ROWS,
    int PLAIN_STRIPS, int GATED_STRIPS, int ACTIVATION, bool NORMED, int SINKS, int EXPERTS>
struct Layers {
    static constexpr bool ALONE = ROWS == 1;
    static constexpr int TILES = (ROWS + 7) / 8, WIDTH = Output::OUTPUTS, HIDDEN = Down::COLUMNS, ATTENDED = Output::COLUMNS;
    static constexpr bool WHOLE = HIDDEN > 0;
    static constexpr int PROJECTED = First::OUTPUTS + Second::OUTPUTS + Third::OUTPUTS;
    static constexpr int PROJECTIONS = First::POINTERS + Second::POINTERS + Third::POINTERS;
    static constexpr int POINTERS = PROJECTIONS + Output::POINTERS + Gates::POINTERS + Down::POINTERS + 2;
    // How rows lie that are normed, attended, and gated.
    static constexpr int FIRST_LAYOUT = affine::best_layout(
        WIDTH, First::BITS == 4 && (!Second::OUTPUTS || Second::BITS == 4) && (!Third::OUTPUTS || Third::BITS == 4)
    );
    static constexpr int GATES_LAYOUT = affine::best_layout(WIDTH, Gates::BITS == 4);
    static constexpr int ATTENDED_LAYOUT = affine::best_layout(ATTENDED, Output::BITS == 4);
    static constexpr int HIDDEN_LAYOUT = affine::best_layout(HIDDEN, Down::BITS == 4);

    // Of a layer's constants, in this order.
    static constexpr int FIRST_BIAS = CONSTANTS + WIDTH;
    static constexpr int STEP = FIRST_BIAS + First::BIASES + Second::BIASES + Third::BIASES;
    static constexpr int OUTPUT_BIAS = STEP + 4 + (NORMED ? 2 * Step::DIMENSIONS : 0) + whole_fours(SINKS);
    static constexpr int GATES_NORM = OUTPUT_BIAS + Output::BIASES;
    static constexpr int GATES_BIAS = GATES_NORM + (WHOLE ? WIDTH : 0);
    static constexpr int DOWN_BIAS = GATES_BIAS + Gates::BIASES;
    static constexpr int EACH = DOWN_BIAS + Down::BIASES;

    template <typename S>
    using Plain = Product<S, ROWS, PLAIN_STRIPS, affine::PLAIN, ACTIVATION, FIRST_LAYOUT>;
    template <typename S, int LAYOUT>
    using Added = Product<S, ROWS, PLAIN_STRIPS, affine::RESIDUAL, ACTIVATION, LAYOUT>;
    using Gated = Product<Gates, ROWS, GATED_STRIPS, affine::GATED, ACTIVATION, GATES_LAYOUT, HIDDEN_LAYOUT>;

    struct Multiplying {
        uint4 normed[ALONE ? WIDTH / 8 : 1];
        union {
            Sums<PLAIN_STRIPS, TILES> plain;
            Sums<GATED_STRIPS, TILES> gated;
        };
    };
    // Shared memory of a block, in uint4s.
    static constexpr int SPACE =
        ((sizeof(Multiplying) > sizeof(typename Step::Shared) ? sizeof(Multiplying) : sizeof(typename Step::Shared)) + 15) / 16;

    // What is computed in one phase and read in another: numbers of 16 bits, each row's together, and then parts of sums.
    struct Scratch {
        __half *normed, *projected, *attended, *hidden;
        float *logits, *partial, *states;
        int* layout;  // the step's: what the host has written may lie in its own memory
    };

    // What all phases have, in a block's shared memory: in registers it would crowd out what they compute with.
    Grid grid;
    Scratch scratch;
    uint4* space;
    int rows, width, splits[ROWS];  // splits of each row
    unsigned* tickets;

    // What is here before the first phase. A row's layout is there behind the first barrier.
    __device__ inline void prepare(
        unsigned* state, float* all, uint4* own_space, const int* layout, int own_rows, int own_width,
        unsigned* own_tickets
    ) {
        const int own = threadIdx.x;
        if (own < own_rows) splits[own] = Step::splits_of(layout[size_t(own) * own_width]);
        __syncthreads();
        if (own == 0) {
            grid.state = state;
            space = own_space, rows = own_rows, width = own_width, tickets = own_tickets;
            int count = 0;
            for (int row = 0; row < rows; ++row) count += splits[row];
            scratch.normed = (__half*)all;
            scratch.projected = scratch.normed + ROWS * WIDTH;
            scratch.attended = scratch.projected + ROWS * PROJECTED;
            scratch.hidden = scratch.attended + ROWS * ATTENDED;
            scratch.logits = (float*)(scratch.hidden + ROWS * HIDDEN);
            scratch.partial = scratch.logits + ROWS * EXPERTS;
            scratch.states = scratch.partial + size_t(count) * Step::HEADS * Step::DIMENSIONS;
            scratch.layout = (int*)(scratch.states + size_t(count) * Step::HEADS * 2);
        }
        __syncthreads();
        if (int(blockIdx.x) < rows)
            for (int at = blockIdx.x * width + own; at < int(blockIdx.x + 1) * width; at += blockDim.x)
                scratch.layout[at] = layout[at];
    }

    __device__ inline Multiplying& multiplying() { return *(Multiplying*)space; }
    __device__ inline int count() const { return ALONE ? 1 : rows; }

    // Normed rows for a product; `waits` where they are those that the barrier before is for.
    template <int LAYOUT>
    __device__ inline const uint4* normed(const float* x, const float* weight, float eps, bool waits, bool odd) {
        affine::RowNorm<WARPS, WIDTH> norm;
        if constexpr (ALONE) {
            norm.load(weight);
            if (waits) grid.wait();
            norm.template run<LAYOUT>(x, eps, multiplying().normed);
            return multiplying().normed;
        } else {
            const int row = blockIdx.x;
            if (row < rows) {
                norm.load(weight);
                if (waits) grid.wait();
                norm.template run<LAYOUT>(x + size_t(row) * WIDTH, eps, (uint4*)scratch.normed, row, rows);
                grid.arrive_of_rows(rows);
            }
            grid.wait_for_rows(odd);
            return (const uint4*)scratch.normed;
        }
    }

    // Items of the products before it are dealt out first: returns this block's first of the one that follows them.
    __device__ static inline int first_item(int before) {
        const int blocks = gridDim.x, own = blockIdx.x;
        return (own - before % blocks + blocks) % blocks;
    }

    template <typename S>
    __device__ inline void project_more(
        const void* const* from, int before, const uint4* input, const float* bias, __half* out
    ) {
        if constexpr (S::OUTPUTS > 0) {
            Plain<S> product(from);
            const int item = first_item(before);
            product.begin(item);
            __syncthreads();  // sums of the product before it are no longer read
            product.run(item, input, count(), bias, 1.0f, nullptr, out, multiplying().plain);
        }
    }

    // Each phase is a function of its own, so that it has all registers to itself: it waits for the one before, where
    // what it reads is not there yet, and arrives at the barrier behind it.
    __device__ __noinline__ void project(const void* const* own, const float* constants, const float* x, bool waits) {
        const int block = blockIdx.x;
        Plain<First> first(own);
        first.begin(block);
        const float* bias = constants + FIRST_BIAS;
        const uint4* input = normed<FIRST_LAYOUT>(x, constants + CONSTANTS, constants[NORM_EPS], waits, false);
        first.run(
            block, input, count(), bias, 1.0f, nullptr, scratch.projected, multiplying().plain
        );
        constexpr int ITEMS = Plain<First>::ITEMS;
        project_more<Second>(own + 3, ITEMS, input, bias + First::BIASES, scratch.projected + ROWS * First::OUTPUTS);
        project_more<Third>(
            own + 6, ITEMS + Second::OUTPUTS / (affine::STRIP * PLAIN_STRIPS), input,
            bias + First::BIASES + Second::BIASES, scratch.projected + ROWS * (First::OUTPUTS + Second::OUTPUTS)
        );
        grid.arrive();
    }

    template <typename Queries, typename Keys, typename Values>
    __device__ __noinline__ void attend(const void* const* own, const float* constants) {
        grid.wait();
        __half *keys = (__half*)own[POINTERS - 2], *values = (__half*)own[POINTERS - 1];
        auto& shared = *(typename Step::Shared*)space;
        int item = blockIdx.x, begin = 0;
        for (int row = 0; row < rows; ++row) {
            const int each = splits[row];
            for (; item < begin + each * Step::KEY_HEADS; item += gridDim.x) {
                const int head = (item - begin) / each, at = (item - begin) % each;
                Step::template run<ATTENDED_LAYOUT, false>(
                    shared, {row, rows, head, at, size_t(begin + head * each)}, Queries::of(scratch.projected, ROWS, row),
                    Keys::of(scratch.projected, ROWS, row), Values::of(scratch.projected, ROWS, row), scratch.layout,
                    width, constants + STEP, keys, values, tickets, scratch.attended, scratch.partial, scratch.states
                );
                __syncthreads();  // before the next one writes to what this one reads
            }
            begin += each * Step::KEY_HEADS;
        }
        grid.arrive();
    }

    __device__ __noinline__ void add_attended(
        const void* const* own, const float* constants, const float* x, float* out
    ) {
        Added<Output, ATTENDED_LAYOUT> output(own + PROJECTIONS);
        output.begin(blockIdx.x);
        grid.wait();
        output.run(
            blockIdx.x, (const uint4*)scratch.attended, count(), constants + OUTPUT_BIAS, constants[OUTPUT_GAIN], x, out,
            multiplying().plain
        );
        if constexpr (!WHOLE && !ALONE)
            if (int(blockIdx.x) < rows) grid.arrive_of_rows(rows);  // for nobody: rows leave their counter as it was
        if constexpr (WHOLE || EXPERTS > 0) grid.arrive();
    }

    // By the first blocks, with the counter that attention has left as it was.
    template <int USED, bool SIGMOID, bool NORMALIZED, bool BIASED, bool CHOICE_BIASED>
    __device__ __noinline__ void route(
        const float* x, const __half* router, const float* constants, __half* normed, int* chosen, float* shares
    ) {
        if constexpr (EXPERTS > 0) {
            constexpr int BLOCKS = EXPERTS / experts::Router::EACH;
            if (int(blockIdx.x) >= BLOCKS) return;
            grid.wait();
            experts::route<EXPERTS, WIDTH, ROWS, USED, SIGMOID, NORMALIZED, BIASED, CHOICE_BIASED>(
                x, rows, router, constants, tickets, normed, chosen, shares, scratch.logits, BLOCKS
            );
        }
    }

    __device__ inline void feed_forward(const void* const* own, const float* constants, float* out, bool last) {
        if constexpr (WHOLE) {
            gate(own, constants, out);
            add_hidden(own, constants, out, last);
        }
    }

    __device__ __noinline__ void gate(const void* const* own, const float* constants, const float* x) {
        Gated gates(own + PROJECTIONS + Output::POINTERS);
        gates.begin(blockIdx.x);
        const uint4* input = normed<GATES_LAYOUT>(x, constants + GATES_NORM, constants[GATES_EPS], true, true);
        gates.run(
            blockIdx.x, input, count(), constants + GATES_BIAS, constants[GATES_GAIN], nullptr, scratch.hidden,
            multiplying().gated
        );
        grid.arrive();
    }

    __device__ __noinline__ void add_hidden(const void* const* own, const float* constants, float* out, bool last) {
        Added<Down, HIDDEN_LAYOUT> down(own + PROJECTIONS + Output::POINTERS + Gates::POINTERS);
        down.begin(blockIdx.x);
        grid.wait();
        down.run(
            blockIdx.x, (const uint4*)scratch.hidden, count(), constants + DOWN_BIAS, constants[DOWN_GAIN], out, out,
            multiplying().plain
        );
        if (!last) grid.arrive();
    }
};

}  // namespace decoder_layer
