// One-time repacking of a matrix from its file's blocks to panels (quant/packed_layout.h).
#include <algorithm>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/constants.h"
#include "base/half.h"
#include "quant/file_blocks.h"
#include "quant/matrix.h"
#include "quant/packed_layout.h"

namespace mlxr {
namespace {

using packed::Codes;
using packed::Scales;

// Codes of 16 output features and 32 input features, one byte each: [group of 4][feature][4].
using BlockCodes = uint8_t[8][64];

// A code whose bits go to some vector: `count` of them from bit `from` on.
struct Field { int group, from, count; };

// One vector: fields from its lowest bit up.
void write_vector(uint8_t* out, const BlockCodes& c, std::initializer_list<Field> fields) {
  for (int i = 0; i < 64; ++i) {
    int byte = 0, at = 0;
    for (const auto [group, from, count] : fields) {
      byte |= (c[group][i] >> from & ((1 << count) - 1)) << at;
      at += count;
    }
    out[i] = static_cast<uint8_t>(byte);
  }
}

void write_codes(Codes codes, uint8_t* out, const BlockCodes& c) {
  const auto write = [&](std::initializer_list<Field> fields) {
    write_vector(out, c, fields);
    out += 64;
  };
  switch (codes) {
    case Codes::Bits2:
      for (int g : {0, 4}) write({{g, 0, 2}, {g + 1, 0, 2}, {g + 2, 0, 2}, {g + 3, 0, 2}});
      return;
    case Codes::Bits3:
      write({{0, 0, 3}, {1, 0, 3}, {6, 0, 2}});
      write({{2, 0, 3}, {3, 0, 3}, {7, 0, 2}});
      return write({{4, 0, 3}, {5, 0, 3}, {6, 2, 1}, {7, 2, 1}});
    case Codes::Bits5:
      write({{0, 0, 5}, {5, 0, 3}});
      write({{1, 0, 5}, {5, 3, 2}, {7, 3, 1}});
      write({{2, 0, 5}, {6, 0, 3}});
      write({{3, 0, 5}, {6, 3, 2}, {7, 4, 1}});
      return write({{4, 0, 5}, {7, 0, 3}});
    case Codes::Bits6:
      for (int g : {0, 4}) {
        for (int i = 0; i < 3; ++i) write({{g + i, 0, 6}, {g + 3, 2 * i, 2}});
      }
      return;
    case Codes::Bits8:
      for (int g = 0; g < 8; ++g, out += 64) {
        for (int i = 0; i < 64; ++i) out[i] = c[g][i] ^ 0x80;
      }
      return;
    default:
      for (int g = 0; g < 4; ++g) write({{g, 0, 4}, {g + 4, 0, 4}});
  }
}

void put_half(uint8_t* out, int lane, uint16_t half) { std::memcpy(out + 2 * lane, &half, sizeof(half)); }

void write_header(Scales scales, uint8_t* out, const UnpackedBlock* lanes) {
  if (packed::header_bytes(scales) == 0) return;
  for (int lane = 0; lane < kLanes; ++lane) {
    if (packed::has_float(scales)) {
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
    } else if (scales == Scales::Super || scales == Scales::SuperFloatSigned) {
      out[lane] = static_cast<uint8_t>(b.scales[block]);
    } else if (scales == Scales::Halves) {
      for (int half = 0; half < 2; ++half) put_half(out + 2 * kLanes * half, lane, b.half_scales[2 * block + half]);
    } else if (packed::has_halves(scales)) {
      for (int half = 0; half < 2; ++half) {
        const int i = 2 * block + half;
        const int high = scales == Scales::SuperHalvesMin ? b.mins[i] << 4 : 0;
        out[kLanes * half + lane] = static_cast<uint8_t>(static_cast<uint8_t>(b.scales[i]) | high);
      }
    }
  }
}

// Q3_K: d and the scales change their signs (packed::scaled_fits_byte).
void negate_scales(UnpackedBlock& block) {
  block.d_half ^= 0x8000;
  for (int8_t& scale : block.scales) scale = static_cast<int8_t>(-scale);
}

// NVFP4: one more scale, for the whole matrix or each row.
void scale_halves(const Extras& extras, int64_t row, UnpackedBlock& block) {
  const float scale = extras.scale[extras.scale_rows == 0 ? 0 : row / extras.scale_rows];
  for (uint16_t& half : block.half_scales) half = positive_to_half(half_to_float(half) * scale);
}

void pack_integer_panel(const Matrix& m, const uint8_t* data, const Extras& extras, int64_t panel, uint8_t* codes,
                        uint8_t* scales) {
  const packed::Layout layout = packed::layout(m.type);
  const BlockShape shape = info(m.type).block;
  const size_t stride = row_bytes(m.type, m.cols);
  const int64_t first = panel * kLanes;
  const int features = static_cast<int>(std::min<int64_t>(kLanes, m.rows - first));
  UnpackedBlock lanes[kLanes] = {};
  BlockCodes gathered = {};
  for (int64_t block = 0; block < m.cols / shape.values; ++block) {
    for (int lane = 0; lane < features; ++lane) {
      const uint8_t* row = data + static_cast<size_t>(first + lane) * stride;
      unpack_block(m.type, row + static_cast<size_t>(block * shape.bytes), lanes[lane]);
      if (m.type == Type::NVFP4 && extras.scale != nullptr) scale_halves(extras, first + lane, lanes[lane]);
      if (m.type == Type::Q3_K) negate_scales(lanes[lane]);
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

// Input features of a row that share a scale in every row. Where absmax blocks do not start with each row, that is
// their greatest common divisor.
int64_t find_scale_span(Type type, int64_t cols, const Extras& extras) {
  if (type == Type::NF4) {
    int64_t a = extras.absmax_block, b = cols;
    while (b != 0) a = std::exchange(b, a % b);
    return a;
  }
  return std::max<int64_t>(1, extras.scale_rows == 0 ? cols : extras.scale_cols);
}

bool has_small_scales(int64_t rows, int64_t cols, const uint8_t* data) {
  constexpr int kLargest = packed::kLargestCodebookScale;
  const auto* block = reinterpret_cast<const file::CODEBOOK*>(data);
  return std::all_of(block, block + rows * cols / info(Type::CODEBOOK).block.values, [](const file::CODEBOOK& b) {
    return std::all_of(b.scales, b.scales + 16, [](int8_t s) { return s >= -kLargest && s <= kLargest; });
  });
}

void check(Type type, int64_t rows, int64_t cols, const uint8_t* data, const Extras& extras) {
  const std::string name(info(type).name);
  if (rows < 0 || cols < 0 || cols % info(type).block.values != 0) {
    throw std::invalid_argument(name + " stores " + std::to_string(info(type).block.values) +
                                " values a block, and a row has " + std::to_string(cols));
  }
  if (type == Type::NF4 && (extras.absmax == nullptr || extras.absmax_block <= 0 || extras.map == nullptr)) {
    throw std::invalid_argument("NF4 needs absmax, its block size and the map of 16 values");
  }
  if (is_codebook(type)) {
    if (extras.map == nullptr) throw std::invalid_argument(name + " needs the map of 16 values");
    for (int i = 0; i < 16; ++i) {
      if (!(extras.map[i] >= -64 && extras.map[i] <= 63)) {
        throw std::invalid_argument(name + " takes values from -64 to 63");
      }
    }
  }
  if (type == Type::CODEBOOK && !has_small_scales(rows, cols, data)) {
    throw std::invalid_argument(name + " takes scales from -" + std::to_string(packed::kLargestCodebookScale) + " to " +
                                std::to_string(packed::kLargestCodebookScale));
  }
  if (type == Type::FP8_E4M3 && extras.scale_rows > 0 && (extras.scale == nullptr || extras.scale_cols <= 0)) {
    throw std::invalid_argument("FP8_E4M3 with blocks needs their scales and both block sizes");
  }
}

// What the codes of a type stand for, as bytes without a sign.
void fill_table(Matrix& m, const Extras& extras) {
  for (size_t i = 0; i < 16; ++i) {
    int value = 0;
    switch (m.type) {
      case Type::CODEBOOK:
      case Type::CODEBOOK32: value = static_cast<int8_t>(extras.map[i]); break;
      case Type::MXFP4:
      case Type::NVFP4: value = kFp4Values[i]; break;
      default: value = kIq4Values[i];
    }
    m.table[i] = static_cast<uint8_t>(value + packed::table_bias(packed::layout(m.type)));
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
    const size_t block_bytes = packed::block_scale_bytes(layout.scales);
    m.panel_scale_bytes = blocks / static_cast<size_t>(supers) *
                          (packed::header_bytes(layout.scales) + static_cast<size_t>(supers) * block_bytes);
  }
}

void pack_panel(const Matrix& m, const uint8_t* data, const Extras& extras, int64_t panel, uint8_t* codes,
                uint8_t* scales) {
  switch (m.type) {
    case Type::F32: return pack_float_panel(m, data, panel, 4, codes);
    case Type::F16:
    case Type::BF16: return pack_float_panel(m, data, panel, 2, codes);
    case Type::FP8_E4M3: pack_float_panel(m, data, panel, 1, codes); return pack_span_scales(m, extras, panel, scales);
    case Type::NF4: pack_nf4_panel(m, data, panel, codes); return pack_span_scales(m, extras, panel, scales);
    default: return pack_integer_panel(m, data, extras, panel, codes, scales);
  }
}

}  // namespace

namespace {

// A matrix without its panels.
std::shared_ptr<Matrix> empty_matrix(Type type, int64_t rows, int64_t cols, const uint8_t* data, const Extras& extras,
                                     Isa isa) {
  check(type, rows, cols, data, extras);
  auto m = std::make_shared<Matrix>();
  m->type = type;
  m->rows = rows;
  m->cols = cols;
  m->isa = isa;
  if (packed::layout(type).scales == Scales::Span) m->scale_span = find_scale_span(type, cols, extras);
  if (type == Type::NF4) std::memcpy(m->map, extras.map, sizeof(m->map));
  if (packed::layout(type).codes == Codes::Table4) fill_table(*m, extras);
  size_panels(*m);
  m->codes = AlignedBuffer::of_slab(m->panel_code_bytes * static_cast<size_t>(m->panels()));
  m->scales = AlignedBuffer::of_slab(m->panel_scale_bytes * static_cast<size_t>(m->panels()));
  return m;
}

void pack_panel_of(Matrix& m, const uint8_t* data, const Extras& extras, int64_t panel) {
  pack_panel(m, data, extras, panel, m.codes.as<uint8_t>() + m.panel_code_bytes * static_cast<size_t>(panel),
             m.scales.as<uint8_t>() + m.panel_scale_bytes * static_cast<size_t>(panel));
}

}  // namespace

std::shared_ptr<const Matrix> pack(ThreadPool& pool, Type type, int64_t rows, int64_t cols, const uint8_t* data,
                                   const Extras& extras, Isa isa) {
  const auto m = empty_matrix(type, rows, cols, data, extras, isa);
  pool.parallel([&](Team& team) {
    team.loop(m->panels(), 4, [&](int64_t panel, int64_t end) {
      for (; panel < end; ++panel) pack_panel_of(*m, data, extras, panel);
    });
  });
  return m;
}

std::shared_ptr<const Matrix> pack(Type type, int64_t rows, int64_t cols, const uint8_t* data, const Extras& extras,
                                   Isa isa, const std::function<void()>& pause) {
  const auto m = empty_matrix(type, rows, cols, data, extras, isa);
  for (int64_t panel = 0; panel < m->panels(); ++panel) {
    pack_panel_of(*m, data, extras, panel);
    if (pause) pause();
  }
  return m;
}

}  // namespace mlxr
