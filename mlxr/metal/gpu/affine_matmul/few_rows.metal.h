// Runs of a matrix's columns as they lie in memory, and what they stand for.

template <uint WORDS>
inline void load_words(const device uint* from, thread uint* words) {
  if (WORDS % 4 == 0) {
    for (uint i = 0; i < WORDS / 4; ++i) {
      uint4 four = ((const device uint4*)from)[i];
      words[4 * i] = four.x, words[4 * i + 1] = four.y, words[4 * i + 2] = four.z, words[4 * i + 3] = four.w;
    }
  } else {
    for (uint i = 0; i < WORDS; ++i) words[i] = from[i];
  }
}

// Weight `at` of a run: a code of BITS bits, times a scale, plus an offset. A code within one word is masked where it
// stands, and the power of two that it is too large by is taken off the scale: exact, and no shift.
template <int BITS>
inline float weight_of(const thread uint* words, uint at, float scale, float offset) {
  uint begin = at * BITS % 32, mask = (1u << BITS) - 1, word = words[at * BITS / 32];
  if (begin + BITS <= 32) return fma(float(word & mask << begin), scale * (1.0f / float(1u << begin)), offset);
  return fma(float((word >> begin | words[at * BITS / 32 + 1] << (32 - begin)) & mask), scale, offset);
}

template <int BITS>
inline float4 four_weights(const thread uint* words, uint piece, float scale, float offset) {
  if (BITS == 16) {
    return float4(as_type<half>(ushort(words[2 * piece] & 0xffff)), as_type<half>(ushort(words[2 * piece] >> 16)),
                  as_type<half>(ushort(words[2 * piece + 1] & 0xffff)), as_type<half>(ushort(words[2 * piece + 1] >> 16)));
  }
  return float4(weight_of<BITS>(words, 4 * piece, scale, offset), weight_of<BITS>(words, 4 * piece + 1, scale, offset),
                weight_of<BITS>(words, 4 * piece + 2, scale, offset), weight_of<BITS>(words, 4 * piece + 3, scale, offset));
}

// In one order and with one rounding a step, so that no compiler's choice depends on what is beside it.
inline float added(float sum, float4 a, float4 b) {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

// The middle of a gated MLP, `activation(gate) * up`.
enum { SILU, GELU_TANH, GELU, SWIGLU_OAI, RELU_SQUARED };

inline float gated(int activation, float gate, float up) {
  if (activation == SILU) return gate / (1.0f + metal::precise::exp(-gate)) * up;
  if (activation == GELU) {
    // 1 - erf for |z| by Abramowitz and Stegun 7.1.26: Metal has no erf. The error is below 1.5e-7.
    float z = gate * 0.70710678f, size = metal::fabs(z), t = 1.0f / (1.0f + 0.3275911f * size);
    float beyond = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t *
                   metal::precise::exp(-size * size);
    return 0.5f * gate * (z < 0.0f ? beyond : 2.0f - beyond) * up;
  }
  if (activation == GELU_TANH)
    return 0.5f * gate * (1.0f + metal::precise::tanh(0.79788456f * (gate + 0.044715f * gate * gate * gate))) * up;
  if (activation == SWIGLU_OAI) {
    gate = metal::min(gate, 7.0f);
    return gate / (1.0f + metal::precise::exp(-1.702f * gate)) * (metal::clamp(up, -7.0f, 7.0f) + 1.0f);
  }
  float positive = gate > 0.0f ? gate : 0.0f;
  return positive * positive * up;
}
