// Low-rank adapters: what they add to the products of a step's rows.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/threadpool.h"
#include "kernels/kernel_table.h"

namespace mlxr {

/// The matrices of a layer that adapters can be for, in the order of mlxr.metal.adapters.ROLES.
enum class AdapterRole { Query, Key, Value, Output, Gate, Up, Down, Count };

/// The number of a matrix in its model, as mlxr.metal.adapters.place_number.
inline int place_number(int layer, AdapterRole role) {
  return layer * static_cast<int>(AdapterRole::Count) + static_cast<int>(role);
}

/// What an adapter adds to one matrix, scaling * x @ down.T @ up.T, packed for the kernels: as half-precision floats
/// where these hold each matrix, times a power of two, exactly (what was bfloat16 or half is so), else as floats.
class LowRank {
 public:
  /// `down` [rank, cols], `up` [rows, rank], copied.
  LowRank(int64_t rank, int64_t rows, int64_t cols, const float* down, const float* up, float scaling);
  int64_t rank() const { return rank_; }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  bool half() const { return half_; }
  int panels() const;
  const void* down_panel(int index) const;
  const void* up() const { return up_.as<char>(); }
  /// What products are to be multiplied by.
  float scaling() const { return scaling_; }
  size_t nbytes() const { return down_.size() + up_.size(); }

 private:
  template <class W, class Convert>
  void pack(const float* down, const float* up, Convert convert);

  int64_t rank_, rows_, cols_;
  bool half_;
  float scaling_;
  AlignedBuffer down_, up_;
};

/// The parts of one adapter, by place.
struct Adapter {
  std::unordered_map<int, std::shared_ptr<const LowRank>> parts;

  const LowRank* part(int place) const {
    const auto found = parts.find(place);
    return found == parts.end() ? nullptr : found->second.get();
  }
};

/// One adapter of a row, and what it is multiplied by.
struct AdapterUse {
  std::shared_ptr<const Adapter> adapter;
  float scale;
};
using AdapterStack = std::vector<AdapterUse>;

class AdapterRows;

/// What adapters add to matrices that multiply the same rows. Without adapters, or for places that none is for, `any`
/// is false and nothing else may be called.
class LowRankProducts {
 public:
  static constexpr int kPlaces = 3;
  using Places = std::array<int, kPlaces>;  // -1: none

  LowRankProducts(const AdapterRows& rows, const Places& places);

  bool any() const { return stride_ > 0; }
  /// Numbers of scratch for each row.
  int64_t stride() const { return stride_; }
  /// Shares out the products of rows [first, first + count) with the `down` matrices. `x` and `scratch`: where row
  /// `first` begins.
  void down(Team& team, const KernelTable& kernels, int64_t first, int64_t count, const float* x, int64_t width,
            float* scratch) const;
  /// Adds to rows [begin, end) of `y`, the product of the place `which` with them. `y` and `scratch`: where row `begin`
  /// begins.
  void up(const KernelTable& kernels, int which, int64_t begin, int64_t end, const float* scratch, float* y,
          int64_t width) const;

 private:
  struct Part {
    int which;  // of the places
    const LowRank* low_rank;
    int64_t at;  // of its numbers in a row of scratch
  };
  /// Panels side by side whose weights are kept in one way.
  struct Run {
    bool half;
    int begin;
    int count;
  };
  /// The panels of all parts of a stack, one after another.
  struct Stack {
    std::vector<Part> parts;
    std::vector<const void*> panels;
    std::vector<float> scales;
    std::vector<Run> runs;
  };

  const AdapterRows& rows_;
  std::vector<Stack> stacks_;
  int64_t stride_ = 0;
};

/// Which rows of a step have which adapters.
class AdapterRows {
 public:
  static constexpr int kTile = 8;

  /// Rows that are computed together: all have the same adapters.
  struct Tile {
    int stack;
    int count;
    int32_t rows[kTile];
  };

  /// `owners`: for each row which of `stacks` it has, -1 for none. Throws std::invalid_argument where there is no such
  /// stack.
  AdapterRows(std::vector<AdapterStack> stacks, std::vector<int32_t> owners);
  const AdapterStack& stack(int index) const { return stacks_[static_cast<size_t>(index)]; }
  size_t stacks() const { return stacks_.size(); }
  int owner(int64_t row) const { return owners_[static_cast<size_t>(row)]; }
  int64_t rows() const { return static_cast<int64_t>(owners_.size()); }
  const std::vector<Tile>& tiles() const { return tiles_; }
  /// Looks up what is added at `places`, once for all steps with the same rows. One thread, that of `prepare`.
  const LowRankProducts& prepare(const LowRankProducts::Places& places) const;
  /// What `prepare` returned for places that begin with `place`. Any thread.
  const LowRankProducts& products(int place) const { return *products_[static_cast<size_t>(place)]; }

 private:
  std::vector<AdapterStack> stacks_;
  std::vector<int32_t> owners_;
  std::vector<Tile> tiles_;
  mutable std::vector<std::unique_ptr<const LowRankProducts>> products_;
};

}  // namespace mlxr
