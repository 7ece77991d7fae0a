#include "ops/low_rank.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/constants.h"

namespace mlxr {
namespace {

int64_t panels_of(int64_t count) { return (count + kLanes - 1) / kLanes; }

AlignedBuffer zeroed_floats(int64_t count) {
  AlignedBuffer buffer(static_cast<size_t>(count) * sizeof(float));
  std::memset(buffer.as<char>(), 0, buffer.size());
  return buffer;
}

}  // namespace

LowRank::LowRank(int64_t rank, int64_t rows, int64_t cols, const float* down, const float* up)
    : rank_(rank),
      rows_(rows),
      cols_(cols),
      down_(zeroed_floats(panels_of(rank) * cols * kLanes)),
      up_(zeroed_floats(panels_of(rows) * rank * kLanes)) {
  float* to = down_.as<float>();
  for (int64_t j = 0; j < rank; ++j) {
    for (int64_t i = 0; i < cols; ++i) to[(j / kLanes * cols + i) * kLanes + j % kLanes] = down[j * cols + i];
  }
  to = up_.as<float>();
  for (int64_t o = 0; o < rows; ++o) {
    for (int64_t j = 0; j < rank; ++j) to[(o / kLanes * rank + j) * kLanes + o % kLanes] = up[o * rank + j];
  }
}

int LowRank::panels() const { return static_cast<int>(panels_of(rank_)); }

const float* LowRank::down_panel(int index) const { return down_.as<float>() + int64_t{index} * cols_ * kLanes; }

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
        for (int p = 0; p < part->panels(); ++p) {
          stack.panels.push_back(part->down_panel(p));
          stack.scales.push_back(use.scale);
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
      kernels.low_rank_down(
          {in, out, used, width, stack.panels.data(), stack.scales.data(), static_cast<int>(stack.panels.size())});
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
      kernels.low_rank_up({in, out, count, part.low_rank->rank(), part.low_rank->up(), part.low_rank->rows()});
    }
  }
}

}  // namespace mlxr
