// One-time repacking of a matrix from its file's blocks to panels (packed_layout.h).
#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "file_blocks.h"
#include "kernels/matmul_kernels.h"
#include "matrix.h"
#include "packed_layout.h"

namespace mlxr {
namespace {

using kernels::kLanes;
using packed::Codes;
using packed::Scales;

constexpr int kBlock = kernels::kBlock;

// Codes of 16 output features and 32 input features, one byte each: [group of 4][feature][4].
using BlockCodes = uint8_t[8][64];

template <class Combine>
void write_vector(uint8_t* out, Combine combine) {
  for (int i = 0; i < 64; ++i) out[i] = static_cast<uint8_t>(combine(i));
}

void write_nibbles(uint8_t* out, const BlockCodes& c) {
  for (int j = 0; j < 4; ++j) {
    write_vector(out + 64 * j, [&](int i) { return (c[j][i] & 15) | c[j + 4][i] << 4; });
  }
}

// Bit `bit` of every code, one vector for all eight groups.
void write_single_bits(uint8_t* out, const BlockCodes& c, int bit) {
  write_vector(out, [&](int i) {
    int bits = 0;
    for (int g = 0; g < 8; ++g) bits |= (c[g][i] >> bit & 1) << g;
    return bits;
  });
}

// Bits `bit` and `bit + 1` of every code, two vectors.
void write_double_bits(uint8_t* out, const BlockCodes& c, int bit) {
  for (int h = 0; h < 2; ++h) {
    write_vector(out + 64 * h, [&](int i) {
      int bits = 0;
      for (int j = 0; j < 4; ++j) bits |= (c[4 * h + j][i] >> bit & 3) << (2 * j);
      return bits;
    });
  }
}

void write_codes(Codes codes, uint8_t* out, const BlockCodes& c) {
  switch (codes) {
    case Codes::Bits2: return write_double_bits(out, c, 0);
    case Codes::Bits3: write_double_bits(out, c, 0); return write_single_bits(out + 128, c, 2);
    case Codes::Bits5: write_nibbles(out, c); return write_single_bits(out + 256, c, 4);
    case Codes::Bits6: write_nibbles(out, c); return write_double_bits(out + 256, c, 4);
    case Codes::Bits8: std::memcpy(out, c, sizeof(c)); return;
    default: return write_nibbles(out, c);
  }
}

void put_half(uint8_t* out, int lane, uint16_t half) { std::memcpy(out + 2 * lane, &half, sizeof(half)); }

void write_header(Scales scales, uint8_t* out, const UnpackedBlock* lanes) {
  for (int lane = 0; lane < kLanes; ++lane) {
    if (scales == Scales::SuperFloat) {
      std::memcpy(out + 4 * lane, &lanes[lane].d, sizeof(float));
      continue;
    }
    put_half(out, lane, lanes[lane].d_half);
    if (packed::header_bytes(scales) > 2 * kLanes) put_half(out + 2 * kLanes, lane, lanes[lane].dmin_half);
  }
}

void write_block_scales(Scales scales, uint8_t* out, const UnpackedBlock* lanes, int block) {
  for (int lane = 0; lane < kLanes; ++lane) {
    const UnpackedBlock& b = lanes[lane];
    if (scales == Scales::SuperMin) {
      out[lane] = static_cast<uint8_t>(b.scales[block]);
      out[kLanes + lane] = b.mins[block];
    } else if (scales == Scales::Super) {
      out[lane] = static_cast<uint8_t>(b.scales[block]);
    } else if (scales == Scales::SuperHalves || scales == Scales::SuperHalvesMin) {
      for (int half = 0; half < 2; ++half) {
        const int i = 2 * block + half;
        const int high = scales == Scales::SuperHalvesMin ? b.mins[i] << 4 : 0;
        out[2 * lane + half] = static_cast<uint8_t>(static_cast<uint8_t>(b.scales[i]) | high);
      }
    }
  }
}

void pack_integer_panel(const Matrix& m, const uint8_t* data, int64_t panel, uint8_t* codes, uint8_t* scales) {
  const packed::Layout layout = packed::layout(m.type);
  const BlockShape shape = info(m.type).block;
  const size_t stride = row_bytes(m.type, m.cols);
  const int64_t first = panel * kLanes;
  const int features = static_cast<int>(std::min<int64_t>(kLanes, m.rows - first));
  UnpackedBlock lanes[kLanes] = {};
  BlockCodes gathered = {};
  for (int64_t block = 0; block < m.cols / shape.values; ++block) {
    for (int lane = 0; lane < features; ++lane) {
      unpack_block(m.type, data + static_cast<size_t>(first + lane) * stride + static_cast<size_t>(block * shape.bytes), lanes[lane]);
    }
    write_header(layout.scales, scales, lanes);
    scales += packed::header_bytes(layout.scales);
    for (int part = 0; part < shape.values / kBlock; ++part) {
      for (int lane = 0; lane < features; ++lane) {
        for (int g = 0; g < 8; ++g) std::memcpy(&gathered[g][4 * lane], &lanes[lane].codes[part * kBlock + 4 * g], 4);
      }
      write_codes(layout.codes, codes, gathered);
      codes += packed::code_bytes(layout.codes);
      write_block_scales(layout.scales, scales, lanes, part);
      scales += packed::block_scale_bytes(layout.scales);
    }
  }
}

// Values of `bytes` bytes each, 16 features side by side for every input feature.
void pack_float_panel(const Matrix& m, const uint8_t* data, int64_t panel, size_t bytes, uint8_t* codes) {
  const int64_t first = panel * kLanes;
  const int64_t features = std::min<int64_t>(kLanes, m.rows - first);
  const size_t stride = row_bytes(m.type, m.cols);
  std::memset(codes, 0, packed::floating_panel_bytes(m.type, m.cols));
  for (int64_t col = 0; col < m.cols; ++col) {
    for (int64_t lane = 0; lane < features; ++lane) {
      std::memcpy(codes + static_cast<size_t>(col * kLanes + lane) * bytes,
                  data + static_cast<size_t>(first + lane) * stride + static_cast<size_t>(col) * bytes, bytes);
    }
  }
}

// The file's values are one run through the whole matrix, high nibble first.
void pack_nf4_panel(const Matrix& m, const uint8_t* data, int64_t panel, uint8_t* codes) {
  const int64_t first = panel * kLanes;
  const int64_t features = std::min<int64_t>(kLanes, m.rows - first);
  std::memset(codes, 0, packed::floating_panel_bytes(m.type, m.cols));
  for (int64_t lane = 0; lane < features; ++lane) {
    for (int64_t col = 0; col < m.cols; ++col) {
      const int64_t flat = (first + lane) * m.cols + col;
      const int code = data[flat / 2] >> (flat % 2 ? 0 : 4) & 15;
      codes[col / 2 * kLanes + lane] = static_cast<uint8_t>(codes[col / 2 * kLanes + lane] | code << (4 * (col % 2)));
    }
  }
}

float span_scale(const Matrix& m, const Extras& extras, int64_t row, int64_t col) {
  if (m.type == Type::NF4) return extras.absmax[(row * m.cols + col) / extras.absmax_block];
  if (extras.scale == nullptr) return 1.0f;
  if (extras.scale_rows == 0) return extras.scale[0];
  const int64_t per_row = (m.cols + extras.scale_cols - 1) / extras.scale_cols;
  return extras.scale[row / extras.scale_rows * per_row + col / extras.scale_cols];
}

void pack_span_scales(const Matrix& m, const Extras& extras, int64_t panel, uint8_t* scales) {
  for (int64_t col = 0; col < m.cols; col += m.scale_span) {
    for (int lane = 0; lane < kLanes; ++lane, scales += sizeof(float)) {
      const int64_t row = panel * kLanes + lane;
      const float scale = row < m.rows ? span_scale(m, extras, row, col) : 0.0f;
      std::memcpy(scales, &scale, sizeof(scale));
    }
  }
}

// Input features of a row that share a scale in every row. Where absmax blocks do not start with each row, that is their
// greatest common divisor.
int64_t find_scale_span(Type type, int64_t cols, const Extras& extras) {
  if (type == Type::NF4) {
    int64_t a = extras.absmax_block, b = cols;
    while (b != 0) a = std::exchange(b, a % b);
    return a;
  }
  return std::max<int64_t>(1, extras.scale_rows == 0 ? cols : extras.scale_cols);
}

void check(Type type, int64_t rows, int64_t cols, const Extras& extras) {
  const std::string name(info(type).name);
  if (rows < 0 || cols < 0 || cols % info(type).block.values != 0) {
    throw std::invalid_argument(name + " stores " + std::to_string(info(type).block.values) +
                                " values a block, and a row has " + std::to_string(cols));
  }
  if (type == Type::NF4 && (extras.absmax == nullptr || extras.absmax_block <= 0 || extras.map == nullptr)) {
    throw std::invalid_argument("NF4 needs absmax, its block size and the map of 16 values");
  }
  if (type == Type::FP8_E4M3 && extras.scale_rows > 0 && (extras.scale == nullptr || extras.scale_cols <= 0)) {
    throw std::invalid_argument("FP8_E4M3 with blocks needs their scales and both block sizes");
  }
}

void size_panels(Matrix& m) {
  const packed::Layout layout = packed::layout(m.type);
  if (is_floating(m.type)) {
    m.panel_code_bytes = packed::floating_panel_bytes(m.type, m.cols);
    if (layout.scales == Scales::Span) {
      m.panel_scale_bytes = static_cast<size_t>((m.cols + m.scale_span - 1) / m.scale_span) * kLanes * sizeof(float);
    }
  } else {
    const int supers = packed::blocks_per_super(layout.scales);
    const size_t blocks = static_cast<size_t>(m.cols / kBlock);
    m.panel_code_bytes = blocks * packed::code_bytes(layout.codes);
    m.panel_scale_bytes = blocks / static_cast<size_t>(supers) *
                          (packed::header_bytes(layout.scales) + static_cast<size_t>(supers) * packed::block_scale_bytes(layout.scales));
  }
}

void pack_panel(const Matrix& m, const uint8_t* data, const Extras& extras, int64_t panel, uint8_t* codes, uint8_t* scales) {
  switch (m.type) {
    case Type::F32: return pack_float_panel(m, data, panel, 4, codes);
    case Type::F16:
    case Type::BF16: return pack_float_panel(m, data, panel, 2, codes);
    case Type::FP8_E4M3: pack_float_panel(m, data, panel, 1, codes); return pack_span_scales(m, extras, panel, scales);
    case Type::NF4: pack_nf4_panel(m, data, panel, codes); return pack_span_scales(m, extras, panel, scales);
    default: return pack_integer_panel(m, data, panel, codes, scales);
  }
}

}  // namespace

std::shared_ptr<const Matrix> pack(ThreadPool& pool, Type type, int64_t rows, int64_t cols, const uint8_t* data,
                                   const Extras& extras, Isa isa) {
  check(type, rows, cols, extras);
  auto m = std::make_shared<Matrix>();
  m->type = type;
  m->rows = rows;
  m->cols = cols;
  m->isa = isa;
  if (packed::layout(type).scales == Scales::Span) m->scale_span = find_scale_span(type, cols, extras);
  if (type == Type::NF4) std::memcpy(m->map, extras.map, sizeof(m->map));
  size_panels(*m);
  m->codes = AlignedBuffer(m->panel_code_bytes * static_cast<size_t>(m->panels()));
  m->scales = AlignedBuffer(m->panel_scale_bytes * static_cast<size_t>(m->panels()));
  pool.parallel([&](Team& team) {
    team.loop(m->panels(), 4, [&](int64_t panel, int64_t end) {
      for (; panel < end; ++panel) {
        pack_panel(*m, data, extras, panel, m->codes.as<uint8_t>() + m->panel_code_bytes * static_cast<size_t>(panel),
                   m->scales.as<uint8_t>() + m->panel_scale_bytes * static_cast<size_t>(panel));
      }
    });
  });
  return m;
}

std::shared_ptr<const Matrix> pack(Type type, int64_t rows, int64_t cols, const uint8_t* data, const Extras& extras, Isa isa) {
  ThreadPool alone(1);
  return pack(alone, type, rows, cols, data, extras, isa);
}

}  // namespace mlxr
