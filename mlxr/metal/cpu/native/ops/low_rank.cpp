#include "ops/low_rank.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/constants.h"
#include "base/half.h"

namespace mlxr {
namespace {

int64_t panels_of(int64_t count) { return (count + kLanes - 1) / kLanes; }

/// The power of two that brings the largest number near the end of half's range, which leaves the others the most of
/// it.
float factor_of(const float* values, int64_t count) {
  float most = 0.0f;
  for (int64_t i = 0; i < count; ++i) most = std::max(most, std::abs(values[i]));
  if (!(most > 0.0f) || !std::isfinite(most)) return 1.0f;
  return std::ldexp(1.0f, std::clamp(14 - std::ilogb(most), -100, 100));
}

bool held_by_halves(const float* values, int64_t count, float factor) {
  return std::all_of(values, values + count,
                     [=](float value) { return half_to_float(float_to_half(value * factor)) == value * factor; });
}

}  // namespace

LowRank::LowRank(int64_t rank, int64_t rows, int64_t cols, const float* down, const float* up, float scaling)
    : rank_(rank), rows_(rows), cols_(cols), half_(false), scaling_(scaling) {
  const float down_factor = factor_of(down, rank * cols), up_factor = factor_of(up, rows * rank);
  half_ = held_by_halves(down, rank * cols, down_factor) && held_by_halves(up, rows * rank, up_factor);
  if (half_) {
    scaling_ = scaling / down_factor / up_factor;
    pack<uint16_t>(down, up,
                   [=](float value, bool is_up) { return float_to_half(value * (is_up ? up_factor : down_factor)); });
  } else {
    pack<float>(down, up, [](float value, bool) { return value; });
  }
}

template <class W, class Convert>
void LowRank::pack(const float* down, const float* up, Convert convert) {
  down_ = AlignedBuffer(static_cast<size_t>(panels_of(rank_) * cols_ * kLanes) * sizeof(W));
  up_ = AlignedBuffer(static_cast<size_t>(panels_of(rows_) * rank_ * kLanes) * sizeof(W));
  std::memset(down_.as<char>(), 0, down_.size());
  std::memset(up_.as<char>(), 0, up_.size());
  W* to = down_.as<W>();
  for (int64_t j = 0; j < rank_; ++j) {
    for (int64_t i = 0; i < cols_; ++i) {
      to[(j / kLanes * cols_ + i) * kLanes + j % kLanes] = convert(down[j * cols_ + i], false);
    }
  }
  to = up_.as<W>();
  for (int64_t o = 0; o < rows_; ++o) {
    for (int64_t j = 0; j < rank_; ++j) {
      to[(o / kLanes * rank_ + j) * kLanes + o % kLanes] = convert(up[o * rank_ + j], true);
    }
  }
}

int LowRank::panels() const { return static_cast<int>(panels_of(rank_)); }

const void* LowRank::down_panel(int index) const {
  const size_t size = half_ ? sizeof(uint16_t) : sizeof(float);
  return down_.as<char>() + static_cast<size_t>(int64_t{index} * cols_ * kLanes) * size;
}

AdapterRows::AdapterRows(std::vector<AdapterStack> stacks, std::vector<int32_t> owners)
    : stacks_(std::move(stacks)), owners_(std::move(owners)) {
  std::vector<Tile> open(stacks_.size(), Tile{0, 0, {}});
  for (size_t row = 0; row < owners_.size(); ++row) {
    const int owner = owners_[row];
    require(owner >= -1 && owner < static_cast<int>(stacks_.size()), "a row has adapters that are not there");
    if (owner < 0) continue;
    Tile& tile = open[static_cast<size_t>(owner)];
    tile.stack = owner;
    tile.rows[tile.count++] = static_cast<int32_t>(row);
    if (tile.count < kTile) continue;
    tiles_.push_back(tile);
    tile.count = 0;
  }
  for (const Tile& tile : open) {
    if (tile.count > 0) tiles_.push_back(tile);
  }
}

const LowRankProducts& AdapterRows::prepare(const LowRankProducts::Places& places) const {
  const size_t first = static_cast<size_t>(places[0]);
  if (products_.size() <= first) products_.resize(first + 1);
  if (products_[first] == nullptr) products_[first] = std::make_unique<const LowRankProducts>(*this, places);
  return *products_[first];
}

LowRankProducts::LowRankProducts(const AdapterRows& rows, const Places& places) : rows_(rows), stacks_(rows.stacks()) {
  for (size_t s = 0; s < stacks_.size(); ++s) {
    Stack& stack = stacks_[s];
    int64_t at = 0;
    for (const AdapterUse& use : rows.stack(static_cast<int>(s))) {
      for (int which = 0; which < kPlaces; ++which) {
        const LowRank* part = places[which] < 0 ? nullptr : use.adapter->part(places[which]);
        if (part == nullptr) continue;
        stack.parts.push_back({which, part, at});
        const int first = static_cast<int>(stack.panels.size());
        if (stack.runs.empty() || stack.runs.back().half != part->half()) {
          stack.runs.push_back({part->half(), first, 0});
        }
        stack.runs.back().count += part->panels();
        for (int p = 0; p < part->panels(); ++p) {
          stack.panels.push_back(part->down_panel(p));
          stack.scales.push_back(use.scale * part->scaling());
        }
        at += int64_t{part->panels()} * kLanes;
      }
    }
    stride_ = std::max(stride_, at);
  }
}

void LowRankProducts::down(Team& team, const KernelTable& kernels, int64_t first, int64_t count, const float* x,
                           int64_t width, float* scratch) const {
  const std::vector<AdapterRows::Tile>& tiles = rows_.tiles();
  team.loop(static_cast<int64_t>(tiles.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const AdapterRows::Tile& tile = tiles[static_cast<size_t>(t)];
      const Stack& stack = stacks_[static_cast<size_t>(tile.stack)];
      if (stack.panels.empty()) continue;
      const float* in[AdapterRows::kTile];
      float* out[AdapterRows::kTile];
      int used = 0;
      for (int i = 0; i < tile.count; ++i) {
        const int64_t row = tile.rows[i] - first;
        if (row < 0 || row >= count) continue;
        in[used] = x + row * width;
        out[used++] = scratch + row * stride_;
      }
      for (const Run& run : stack.runs) {
        float* to[AdapterRows::kTile];
        for (int i = 0; i < used; ++i) to[i] = out[i] + int64_t{run.begin} * kLanes;
        kernels.low_rank_down({in, to, used, width, stack.panels.data() + run.begin, run.half,
                               stack.scales.data() + run.begin, run.count});
      }
    }
  });
}

void LowRankProducts::up(const KernelTable& kernels, int which, int64_t begin, int64_t end, const float* scratch,
                         float* y, int64_t width) const {
  constexpr int kMost = 16;
  for (int64_t row = begin; row < end;) {
    const int owner = rows_.owner(row);
    const float* in[kMost];
    float* out[kMost];
    int count = 0;
    const int64_t start = row;
    for (; row < end && count < kMost && rows_.owner(row) == owner; ++row) {
      in[count] = nullptr;
      out[count++] = y + (row - begin) * width;
    }
    if (owner < 0) continue;
    for (const Part& part : stacks_[static_cast<size_t>(owner)].parts) {
      if (part.which != which) continue;
      for (int i = 0; i < count; ++i) in[i] = scratch + (start - begin + i) * stride_ + part.at;
      const LowRank& own = *part.low_rank;
      kernels.low_rank_up({in, out, count, own.rank(), own.up(), own.half(), own.rows()});
    }
  }
}

}  // namespace mlxr
