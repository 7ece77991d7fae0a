// How 32 neighbouring weights come out of a block, for every type that ggml's files have (layouts: ggml-common.h). The
// same for Metal and CUDA, whose words for functions and pointers differ.
//
// `decode(block, part, values, out)` writes weights 32 * part to 32 * part + 31 of the block at `block`; `values` are
// what a codebook's codes stand for. Blocks lie as in their file; those of Q4_K and Q5_K begin at multiples of 16.

#ifdef __METAL_VERSION__
#define FUNCTION inline
#define BLOCK const device uchar*
#define WORDS const device uint*
#define WEIGHTS thread float*
#define LEVELS constant
#define LEVEL_POINTER const constant float*
#define REFERENCE(type) thread type&
#else
#define FUNCTION __device__ inline
#define BLOCK const unsigned char*
#define WORDS const unsigned int*
#define WEIGHTS float*
#define LEVELS __device__
#define LEVEL_POINTER const float*
#define REFERENCE(type) type&
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
#endif

// Of IQ4_NL and IQ4_XS (`kvalues_iq4nl`), and of MXFP4 (E2M1, doubled).
LEVELS const float IQ4_LEVELS[16] = {-127.0f, -104.0f, -83.0f, -65.0f, -49.0f, -35.0f, -22.0f, -10.0f,
                                     1.0f,    13.0f,   25.0f,  38.0f,  53.0f,  69.0f,  89.0f,  113.0f};
LEVELS const float FP4_LEVELS[16] = {0.0f, 1.0f, 2.0f, 3.0f, 4.0f, 6.0f, 8.0f, 12.0f,
                                     0.0f, -1.0f, -2.0f, -3.0f, -4.0f, -6.0f, -8.0f, -12.0f};

FUNCTION float half_of(uint bits) {
#ifdef __METAL_VERSION__
  return float(as_type<half>(ushort(bits)));
#else
  return __half2float(__ushort_as_half((unsigned short)bits));
#endif
}

FUNCTION float float_from(uint bits) {
#ifdef __METAL_VERSION__
  return as_type<float>(bits);
#else
  return __uint_as_float(bits);
#endif
}

FUNCTION uint word(BLOCK block, int at) { return uint(block[at]) | uint(block[at + 1]) << 8; }
FUNCTION float half_at(BLOCK block, int at) { return half_of(word(block, at)); }
FUNCTION int signed_byte(BLOCK block, int at) { return int(uint(block[at]) << 24) >> 24; }

// Types by their numbers in a file's table of tensors; a codebook's is mlxr's own.
enum {
  Q4_0 = 2,
  Q4_1 = 3,
  Q5_0 = 6,
  Q5_1 = 7,
  Q8_0 = 8,
  Q2_K = 10,
  Q3_K = 11,
  Q4_K = 12,
  Q5_K = 13,
  Q6_K = 14,
  Q8_K = 15,
  IQ4_NL = 20,
  IQ4_XS = 23,
  MXFP4 = 39,
  Q1_0 = 41,
  Q2_0 = 42,
  CODEBOOK = 1000
};

template <int TYPE>
struct Block;

// 32 weights of 4 or 5 bits under one scale: all the low halves of bytes, then all the high ones. `fifths` has the
// fifth bits of Q5, the first weight's lowest.
FUNCTION void nibbles_of_32(BLOCK packed, uint fifths, float scale, float shift, WEIGHTS out) {
  for (int i = 0; i < 16; ++i) {
    uint byte = packed[i];
    out[i] = scale * float((byte & 15) | (fifths >> i & 1) << 4) + shift;
    out[i + 16] = scale * float(byte >> 4 | (fifths >> (i + 16) & 1) << 4) + shift;
  }
}

template <>
struct Block<Q4_0> {
  enum { WEIGHTS_EACH = 32, BYTES = 18 };
  static FUNCTION void decode(BLOCK block, int, BLOCK, WEIGHTS out) {
    float scale = half_at(block, 0);
    nibbles_of_32(block + 2, 0, scale, -8.0f * scale, out);
  }
};

template <>
struct Block<Q4_1> {
  enum { WEIGHTS_EACH = 32, BYTES = 20 };
  static FUNCTION void decode(BLOCK block, int, BLOCK, WEIGHTS out) {
    nibbles_of_32(block + 4, 0, half_at(block, 0), half_at(block, 2), out);
  }
};

template <>
struct Block<Q5_0> {
  enum { WEIGHTS_EACH = 32, BYTES = 22 };
  static FUNCTION void decode(BLOCK block, int, BLOCK, WEIGHTS out) {
    float scale = half_at(block, 0);
    nibbles_of_32(block + 6, word(block, 2) | word(block, 4) << 16, scale, -16.0f * scale, out);
  }
};

template <>
struct Block<Q5_1> {
  enum { WEIGHTS_EACH = 32, BYTES = 24 };
  static FUNCTION void decode(BLOCK block, int, BLOCK, WEIGHTS out) {
    nibbles_of_32(block + 8, word(block, 4) | word(block, 6) << 16, half_at(block, 0), half_at(block, 2), out);
  }
};

template <>
struct Block<Q8_0> {
  enum { WEIGHTS_EACH = 32, BYTES = 34 };
  static FUNCTION void decode(BLOCK block, int, BLOCK, WEIGHTS out) {
    float scale = half_at(block, 0);
    for (int i = 0; i < 32; ++i) out[i] = scale * float(signed_byte(block, 2 + i));
  }
};

// K-quants have 256 weights a block, in runs of 16 or 32 with scales of their own. Of two-bit fields the first 128
// weights have the first 32 bytes: 32 lowest fields, then the next.
FUNCTION uint two_bits(BLOCK packed, int part, int i) { return packed[part / 4 * 32 + i] >> (part % 4 * 2) & 3; }

template <>
struct Block<Q2_K> {
  enum { WEIGHTS_EACH = 256, BYTES = 84 };
  static FUNCTION void decode(BLOCK block, int part, BLOCK, WEIGHTS out) {
    float scale = half_at(block, 80), minimum = half_at(block, 82);
    for (int run = 0; run < 2; ++run) {
      uint both = block[2 * part + run];
      float step = scale * float(both & 15), less = minimum * float(both >> 4);
      for (int i = 16 * run; i < 16 * run + 16; ++i) out[i] = step * float(two_bits(block + 16, part, i)) - less;
    }
  }
};

template <>
struct Block<Q3_K> {
  enum { WEIGHTS_EACH = 256, BYTES = 110 };
  static FUNCTION void decode(BLOCK block, int part, BLOCK, WEIGHTS out) {
    float scale = half_at(block, 108);
    for (int run = 0; run < 2; ++run) {
      int at = 2 * part + run;
      uint low = block[96 + at % 8] >> (at / 8 * 4) & 15, high = block[104 + at % 4] >> (at / 4 * 2) & 3;
      float step = scale * float(int(low | high << 4) - 32);
      for (int i = 16 * run; i < 16 * run + 16; ++i) {
        uint level = two_bits(block + 32, part, i) | (block[i] >> part & 1) << 2;
        out[i] = step * float(int(level) - 4);
      }
    }
  }
};

// Four small numbers, a byte each, as floats.
FUNCTION void four_of(uint bytes, WEIGHTS out) {
#ifdef __METAL_VERSION__
  for (int i = 0; i < 4; ++i) out[i] = float(bytes >> (8 * i) & 255);
#else
  // 2^23 + byte is a float with the byte as its lowest bits; a conversion would take four times as long.
  for (int i = 0; i < 4; ++i) out[i] = __uint_as_float(__byte_perm(bytes, 0x4b000000u, 0x7440 + i)) - 8388608.0f;
#endif
}

// Scale and minimum `part` of Q4_K and Q5_K: six bits each, of which the last four have their upper two elsewhere.
FUNCTION void six_bits(BLOCK packed, int part, REFERENCE(uint) scale, REFERENCE(uint) minimum) {
  if (part < 4) {
    scale = packed[part] & 63;
    minimum = packed[part + 4] & 63;
  } else {
    scale = (packed[part + 4] & 15) | (uint(packed[part - 4]) >> 6) << 4;
    minimum = uint(packed[part + 4]) >> 4 | (uint(packed[part]) >> 6) << 4;
  }
}

template <>
struct Block<Q4_K> {
  enum { WEIGHTS_EACH = 256, BYTES = 144 };
  static FUNCTION void decode(BLOCK block, int part, BLOCK, WEIGHTS out) {
    uint scale, minimum;
    six_bits(block + 4, part, scale, minimum);
    float step = half_at(block, 0) * float(scale), less = half_at(block, 2) * float(minimum);
    WORDS packed = (WORDS)(block + 16 + part / 2 * 32);
    int shift = part % 2 * 4;
    for (int i = 0; i < 32; i += 4) {
      four_of(packed[i / 4] >> shift & 0x0f0f0f0f, out + i);
      for (int j = i; j < i + 4; ++j) out[j] = step * out[j] - less;
    }
  }
};

template <>
struct Block<Q5_K> {
  enum { WEIGHTS_EACH = 256, BYTES = 176 };
  static FUNCTION void decode(BLOCK block, int part, BLOCK, WEIGHTS out) {
    uint scale, minimum;
    six_bits(block + 4, part, scale, minimum);
    float step = half_at(block, 0) * float(scale), less = half_at(block, 2) * float(minimum);
    WORDS packed = (WORDS)(block + 48 + part / 2 * 32);
    WORDS fifths = (WORDS)(block + 16);
    int shift = part % 2 * 4;
    for (int i = 0; i < 32; i += 4) {
      four_of((packed[i / 4] >> shift & 0x0f0f0f0f) | (fifths[i / 4] >> part & 0x01010101) << 4, out + i);
      for (int j = i; j < i + 4; ++j) out[j] = step * out[j] - less;
    }
  }
};

template <>
struct Block<Q6_K> {
  enum { WEIGHTS_EACH = 256, BYTES = 210 };
  static FUNCTION void decode(BLOCK block, int part, BLOCK, WEIGHTS out) {
    float scale = half_at(block, 208);
    // Of 128 weights the first 64 have the low halves of 64 bytes, the others the high ones.
    BLOCK low = block + part / 4 * 64 + part % 2 * 32;
    int shift = part % 4 / 2 * 4;
    for (int run = 0; run < 2; ++run) {
      float step = scale * float(signed_byte(block, 192 + 2 * part + run));
      for (int i = 16 * run; i < 16 * run + 16; ++i) {
        uint level = (low[i] >> shift & 15) | two_bits(block + 128, part, i) << 4;
        out[i] = step * float(int(level) - 32);
      }
    }
  }
};

template <>
struct Block<Q8_K> {
  enum { WEIGHTS_EACH = 256, BYTES = 292 };
  static FUNCTION void decode(BLOCK block, int part, BLOCK, WEIGHTS out) {
    float scale = float_from(word(block, 0) | word(block, 2) << 16);
    for (int i = 0; i < 32; ++i) out[i] = scale * float(signed_byte(block, 4 + 32 * part + i));
  }
};

FUNCTION void levels_of_32(BLOCK packed, LEVEL_POINTER levels, float scale, WEIGHTS out) {
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * levels[packed[i] & 15];
    out[i + 16] = scale * levels[packed[i] >> 4];
  }
}

template <>
struct Block<IQ4_NL> {
  enum { WEIGHTS_EACH = 32, BYTES = 18 };
  static FUNCTION void decode(BLOCK block, int, BLOCK, WEIGHTS out) {
    levels_of_32(block + 2, IQ4_LEVELS, half_at(block, 0), out);
  }
};

template <>
struct Block<IQ4_XS> {
  enum { WEIGHTS_EACH = 256, BYTES = 136 };
  static FUNCTION void decode(BLOCK block, int part, BLOCK, WEIGHTS out) {
    uint low = block[4 + part / 2] >> (part % 2 * 4) & 15, high = word(block, 2) >> (2 * part) & 3;
    levels_of_32(block + 8 + 16 * part, IQ4_LEVELS, half_at(block, 0) * float(int(low | high << 4) - 32), out);
  }
};

template <>
struct Block<MXFP4> {
  enum { WEIGHTS_EACH = 32, BYTES = 17 };
  static FUNCTION void decode(BLOCK block, int, BLOCK, WEIGHTS out) {
    // A power of two, halved since the levels are doubled; the lowest two of them are denormal.
    uint exponent = block[0];
    float scale = exponent < 2 ? float_from(0x00200000u << exponent) : float_from((exponent - 1) << 23);
    levels_of_32(block + 1, FP4_LEVELS, scale, out);
  }
};

template <>
struct Block<Q1_0> {
  enum { WEIGHTS_EACH = 128, BYTES = 18 };
  static FUNCTION void decode(BLOCK block, int part, BLOCK, WEIGHTS out) {
    float scale = half_at(block, 0);
    for (int i = 0; i < 32; ++i) out[i] = block[2 + 4 * part + i / 8] >> (i % 8) & 1 ? scale : -scale;
  }
};

template <>
struct Block<Q2_0> {
  enum { WEIGHTS_EACH = 64, BYTES = 18 };
  static FUNCTION void decode(BLOCK block, int part, BLOCK, WEIGHTS out) {
    float scale = half_at(block, 0);
    for (int i = 0; i < 32; ++i) {
      out[i] = scale * float(int(block[2 + 8 * part + i / 4] >> (i % 4 * 2) & 3) - 1);
    }
  }
};

// What `mlxr/metal/codebooks.py` makes of IQ1 to IQ3 and TQ: a scale, 16 factors, and a code a weight.
template <>
struct Block<CODEBOOK> {
  enum { WEIGHTS_EACH = 256, BYTES = 148 };
  static FUNCTION void decode(BLOCK block, int part, BLOCK values, WEIGHTS out) {
    float scale = float_from(word(block, 0) | word(block, 2) << 16);
    for (int run = 0; run < 2; ++run) {
      float step = scale * float(signed_byte(block, 4 + 2 * part + run));
      for (int i = 16 * run; i < 16 * run + 16; ++i) {
        uint byte = block[20 + 16 * part + i / 2];
        out[i] = step * float(signed_byte(values, i % 2 ? byte >> 4 : byte & 15));
      }
    }
  }
};
