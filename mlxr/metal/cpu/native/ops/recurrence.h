// Parts that recurrent mixers share: rows through a projection before and one behind, and the convolution between.
#pragma once

#include "ops/operation.h"

namespace mlxr {

/// The projections of a recurrent half: inner = input(norm(x)), and behind what is made of it x + output(mixed). Where
/// it stands beside another mixer (`kept`), the first x is what was kept (KeepOperation), the second the other's. Rows
/// go from the caller's x to Buffer::Query [rows, input->rows] and from Buffer::Mixed [rows, output->cols] back.
struct RecurrentHalf {
  MatrixPtr input, output;
  Vector norm, input_bias, output_bias;
  float norm_eps;
  bool kept = false;
  Vector post_norm = {};  // of what is added to x

  /// Throws std::invalid_argument where sizes do not fit `inner` numbers behind the input and `mixed` before the
  /// output.
  void check(int64_t inner, int64_t mixed) const;
  void prepare(const Context&, const Operands&) const;
  /// Ends with a barrier.
  void project_in(Team&, const Context&, const Operands&) const;
  /// Begins behind a barrier. `finish(row)` is called for each row of Buffer::Mixed first.
  template <class Finish>
  void project_out(Team& team, const Context& context, const Operands& operands, Finish&& finish) const {
    Activations& mixed = mixed_rows(context, operands.rows);
    float* const rows = context.workspace.at(Buffer::Mixed);
    team.loop(operands.rows, 4, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        finish(t);
        mixed.set_row(t, rows + t * output->cols);
      }
    });
    team.barrier();
    multiply_out(team, context, operands, mixed);
  }

 private:
  Activations& mixed_rows(const Context&, int64_t rows) const;
  void multiply_out(Team&, const Context&, const Operands&, const Activations& mixed) const;
};

/// A convolution's weights, a row for each tap, and its bias.
struct Convolution {
  Vector taps;  // [count][channels]
  Vector bias;
  int count;
  int64_t channels;

  /// From `weights` [channels][count]. Throws std::invalid_argument where sizes do not fit.
  Convolution(const Vector& weights, Vector bias, int count);

  int64_t state_numbers() const { return (count - 1) * channels; }
  /// Convolves channels [begin, end) of `tokens` rows of x, `x_stride` apart, into rows of y. `history` is the state
  /// [count - 1][channels] of the sequence and gets its last rows.
  void run(const KernelTable&, float* history, const float* x, int64_t x_stride, int64_t tokens, int64_t begin,
           int64_t end, bool silu, float* y, int64_t y_stride) const;
};

/// Channels that one thread convolves at a time.
inline constexpr int64_t kConvolvedChannels = 256;

}  // namespace mlxr
