// 1024 + a code is a half whose lowest bits are the code.
__device__ inline unsigned weights_of(unsigned magic, __half2 scale, __half2 bias) {
    __half2 code = __hsub2(*reinterpret_cast<__half2*>(&magic), __float2half2_rn(1024.0f));
    __half2 weights = __hfma2(code, scale, bias);
    return *reinterpret_cast<unsigned*>(&weights);
}

// Eight weights of one row, in the order of order_eight.
template <int BITS>
__device__ inline void decode_eight(const unsigned* words, __half2 scale, __half2 bias, unsigned* weights) {
    if constexpr (BITS == 4) {
#pragma unroll
        for (int i = 0; i < 4; ++i)
            weights[i] = weights_of(((words[0] >> (4 * i)) & 0x000f000fu) | 0x64006400u, scale, bias);
    } else {
#pragma unroll
        for (int i = 0; i < 4; ++i)
            weights[i] = weights_of(__byte_perm(words[i / 2], 0x64646464u, i % 2 ? 0x4342 : 0x4140), scale, bias);
    }
}

// Eight inputs in the order that codes come apart in: of 4 bits the first and the fifth, the second and the sixth...
template <int BITS>
__device__ inline void order_eight(uint4 inputs, unsigned* ordered) {
    if constexpr (BITS == 4) {
        ordered[0] = __byte_perm(inputs.x, inputs.z, 0x5410);
        ordered[1] = __byte_perm(inputs.x, inputs.z, 0x7632);
        ordered[2] = __byte_perm(inputs.y, inputs.w, 0x5410);
        ordered[3] = __byte_perm(inputs.y, inputs.w, 0x7632);
    } else {
        ordered[0] = inputs.x, ordered[1] = inputs.y, ordered[2] = inputs.z, ordered[3] = inputs.w;
    }
}

// Adds the product of 16 rows and 16 columns of weights with 8 rows of inputs, summed in float32.
__device__ inline void multiply(
    float* sum, unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1
) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1)
    );
}
