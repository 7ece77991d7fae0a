#include "ops/experts.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace mlxr {
namespace {

/// Tokens that go through at once: bounds the memory of their experts' rows.
constexpr int64_t kMostRows = 256;

bool fits(const Vector& v, int64_t size) { return v.empty() || static_cast<int64_t>(v.size()) == size; }

bool is(const MatrixPtr& m, int64_t rows, int64_t cols) { return m->rows == rows && m->cols == cols; }

unsigned needs_of(const MatrixPtr& m) { return m != nullptr ? needs(*m) : 0u; }

}  // namespace

void ExpertsLayer::check() const {
  const int64_t experts = routing.experts, wide = width(), tall = hidden(), narrow = expert_width();
  require(routing.used >= 1 && routing.used <= routing.experts, "a token can't use that many experts");
  require(routing.group_best == 1 || routing.group_best == 2, "a group is ranked by its best expert or its two best");
  require(routing.groups >= 1 && routing.experts % routing.groups == 0 && routing.used_groups >= 1 &&
              routing.used_groups <= routing.groups &&
              routing.used <= routing.experts / routing.groups * routing.used_groups,
          "the groups of experts do not fit");
  require(!router->int16 && !up->int16 && (gate == nullptr || !gate->int16) && !down->int16,
          "experts' matrices are an encoder's");
  require(gate != nullptr || kind != Nonlinearity::SwigluOai, "this activation needs a gate");
  require(router->rows == experts && is(up, experts * tall, narrow) &&
              (gate == nullptr || is(gate, experts * tall, narrow)) && is(down, experts * narrow, tall),
          "the experts' matrices do not fit together");
  require((latent_down != nullptr) == (latent_up != nullptr), "a latent mixture has two matrices");
  require(latent_down != nullptr ? is(latent_down, narrow, wide) && is(latent_up, wide, narrow) : narrow == wide,
          "experts and their input differ in width");
  require(tall % kLanes == 0 && narrow % kLanes == 0, "experts need sizes that are multiples of 16");
  require(!weighs_inputs || (gate_bias.empty() && up_bias.empty()), "experts whose inputs are weighed have no biases");
  require(norm.fits(wide) && fits(router_bias, experts) && fits(choice_bias, experts) &&
              fits(gate_bias, experts * tall) && fits(up_bias, experts * tall) && fits(down_bias, experts * narrow),
          "a norm or bias of the experts has the wrong length");
  require(router_norm.fits(wide) && shared_norm.fits(wide) && fits(expert_scale, experts) &&
              shared_post_norm.fits(wide) && mixture_post_norm.fits(wide) && post_norm.fits(wide),
          "a norm or scale of the experts has the wrong length");
  const bool shares = shared_up != nullptr;
  require((shared_gate != nullptr) == (shares && gate != nullptr) && (shared_down != nullptr) == shares,
          "a shared expert has the matrices that the others have");
  if (shares) {
    require((shared_gate == nullptr || is(shared_gate, shared_up->rows, wide)) && shared_up->cols == wide &&
                is(shared_down, wide, shared_up->rows),
            "the shared expert's matrices do not fit together");
    require(shared_router == nullptr || is(shared_router, 1, wide), "the shared expert's router gives one number");
  }
}

/// Where the numbers of some rows lie while they go through.
struct ExpertsOperation::Step {
  Step(const ExpertsLayer& layer, const Context& context, int64_t rows)
      : rows(rows), pairs(rows * layer.routing.used), alone(rows == 1 ? kNeedsAlone : 0u) {
    Workspace& space = context.workspace;
    const int64_t width = layer.width(), narrow = layer.expert_width(), experts = layer.routing.experts;
    normed = space.at(Buffer::PerThread);
    logits = space.at(Buffer::Scores);
    scratch = logits + rows * experts;
    weights = scratch + rows * experts;
    chosen = space.at<int32_t>(Buffer::Choices);
    order = chosen + pairs;
    place = order + pairs;
    starts = place + pairs;
    active = starts + experts + 1;
    count = active + experts;
    up = space.at(Buffer::Up);
    gate = space.at(Buffer::Gate);
    mixed = space.at(Buffer::Mixed);
    shared = space.at(Buffer::Result);
    shared_up = space.at(Buffer::Query);
    shared_gate = space.at(Buffer::Key);
    share = space.at(Buffer::Value);
    inputs = &space.activations(rows, width, row_needs(layer));
    pair_inputs = &space.activations(rows == 1 ? 1 : pairs, narrow, needs(*layer.up) | needs_of(layer.gate) | alone);
    expert_rows = normed;
    if (layer.latent_down != nullptr) {
      expert_rows = space.at(Buffer::Partials);
      sums = expert_rows + rows * narrow;
      risen = sums + rows * narrow;
      sum_inputs = &space.activations(rows, narrow, needs(*layer.latent_up));
    }
    hidden = &space.activations(pairs, layer.hidden(), needs(*layer.down) | alone);
    if (layer.shared_up != nullptr) {
      shared_hidden = &space.activations(rows, layer.shared_up->rows, needs(*layer.shared_down));
    }
  }

  static unsigned row_needs(const ExpertsLayer& layer) {
    return needs(*layer.router) | needs_of(layer.latent_down) | needs_of(layer.shared_up) |
           needs_of(layer.shared_gate) | needs_of(layer.shared_router);
  }

  static void reserve(const ExpertsLayer& layer, const Context& context, int64_t rows) {
    Workspace& space = context.workspace;
    const int64_t width = layer.width(), narrow = layer.expert_width(), experts = layer.routing.experts;
    const int64_t pairs = rows * layer.routing.used;
    const unsigned alone = rows == 1 ? kNeedsAlone : 0u;
    space.reserve_floats(Buffer::PerThread, rows * width);
    space.reserve_floats(Buffer::Scores, 2 * rows * experts + pairs);
    space.reserve(Buffer::Choices, static_cast<size_t>(3 * pairs + 2 * experts + 2) * sizeof(int32_t));
    space.reserve_floats(Buffer::Up, pairs * layer.hidden());
    if (layer.gate != nullptr) space.reserve_floats(Buffer::Gate, pairs * layer.hidden());
    space.reserve_floats(Buffer::Mixed, pairs * narrow);
    space.reserve_activations(rows, width, row_needs(layer), context.isa);
    space.reserve_activations(rows == 1 ? 1 : pairs, narrow, needs(*layer.up) | needs_of(layer.gate) | alone,
                              context.isa);
    if (layer.latent_down != nullptr) {
      space.reserve_floats(Buffer::Partials, rows * (2 * narrow + width));
      space.reserve_activations(rows, narrow, needs(*layer.latent_up), context.isa);
    }
    space.reserve_activations(pairs, layer.hidden(), needs(*layer.down) | alone, context.isa);
    if (layer.shared_up != nullptr) {
      space.reserve_floats(Buffer::Result, rows * width);
      space.reserve_floats(Buffer::Query, rows * layer.shared_up->rows);
      space.reserve_floats(Buffer::Key, rows * layer.shared_up->rows);
      space.reserve_floats(Buffer::Value, rows);
      space.reserve_activations(rows, layer.shared_up->rows, needs(*layer.shared_down), context.isa);
    }
  }

  /// Lays the pairs of a token and an expert out by expert, tokens of each in their order.
  void sort(const Routing& routing) {
    std::fill(starts, starts + routing.experts + 1, 0);
    for (int64_t p = 0; p < pairs; ++p) ++starts[chosen[p] + 1];
    int32_t found = 0;
    for (int e = 0; e < routing.experts; ++e) {
      if (starts[e + 1] > 0) active[found++] = e;
      starts[e + 1] += starts[e];
    }
    *count = found;
    for (int64_t p = 0; p < pairs; ++p) {
      const int32_t at = starts[chosen[p]]++;
      order[at] = static_cast<int32_t>(p);
      place[p] = at;
    }
    for (int e = routing.experts; e > 0; --e) starts[e] = starts[e - 1];
    starts[0] = 0;
  }

  int64_t rows, pairs;
  unsigned alone;
  float *normed, *logits, *scratch, *weights, *up, *gate, *mixed, *shared, *shared_up, *shared_gate, *share;
  float* expert_rows;                       // what experts read: the rows normed, or those in their latent form
  float *sums = nullptr, *risen = nullptr;  // of latent mixtures: their rows, and those brought up to the width
  int32_t *chosen, *order, *place, *starts, *active, *count;
  Activations *inputs, *pair_inputs, *hidden, *shared_hidden = nullptr, *sum_inputs = nullptr;
};

void ExpertsOperation::prepare(const Context& context, const Operands& operands) const {
  for (const int64_t rows : {std::min(operands.rows, kMostRows), operands.rows % kMostRows}) {
    if (rows > 0) Step::reserve(*layer_, context, rows);
  }
}

void ExpertsOperation::run(Team& team, const Context& context, const Operands& operands) const {
  for (int64_t first = 0; first < operands.rows; first += kMostRows) {
    const int64_t rows = std::min(kMostRows, operands.rows - first);
    run_rows(team, context, operands, first, rows);
    if (first + rows < operands.rows) team.barrier();
  }
}

void ExpertsOperation::run_rows(Team& team, const Context& context, const Operands& operands, int64_t first_row,
                                int64_t rows) const {
  const ExpertsLayer& layer = *layer_;
  const Routing& routing = layer.routing;
  const int64_t width = layer.width(), hidden = layer.hidden(), narrow = layer.expert_width();
  const int64_t experts = routing.experts, used = routing.used;
  const bool shares = layer.shared_up != nullptr, latent = layer.latent_down != nullptr;
  const float* const in = operands.in + first_row * width;
  const float* const from = layer.kept ? context.workspace.at(Buffer::Kept) + first_row * width : in;
  float* const out = operands.out + first_row * width;
  Step step(layer, context, rows);

  const auto each_row = [&](auto body) {
    team.loop(rows, 4, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) body(t);
    });
  };
  const auto each_pair = [&](auto body) {
    team.loop(step.pairs, 4, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) body(p);
    });
  };
  const auto project = [&](const Matrix& m, const Activations& x, const Vector& bias, float* y) {
    team.loop(m.panels(), m.grain(rows, team.size()),
              [&](int64_t begin, int64_t end) { matmul_panels(m, x, y, m.rows, begin, end, data_or_null(bias)); });
  };

  // Inputs are made once for all that take them through the same norm.
  const RowNorm* normed_by = nullptr;
  const auto take_inputs = [&](const RowNorm& own) {
    const RowNorm& norm = own.empty() ? layer.norm : own;
    if (normed_by == &norm) return;
    if (normed_by != nullptr) team.barrier();
    normed_by = &norm;
    each_row([&](int64_t t) {
      float* row = step.normed + t * width;
      if (norm.empty()) {
        std::memcpy(row, from + t * width, sizeof(float) * static_cast<size_t>(width));
      } else {
        norm.apply(context.kernels, from + t * width, row);
      }
      step.inputs->set_row(t, row);
    });
    team.barrier();
  };

  take_inputs(layer.router_norm);
  project(*layer.router, *step.inputs, layer.router_bias, step.logits);
  if (shares) {
    take_inputs(layer.shared_norm);
    project(*layer.shared_up, *step.inputs, {}, step.shared_up);
    if (layer.shared_gate != nullptr) project(*layer.shared_gate, *step.inputs, {}, step.shared_gate);
    if (layer.shared_router != nullptr) project(*layer.shared_router, *step.inputs, {}, step.share);
  }
  take_inputs(layer.norm);
  if (latent) project(*layer.latent_down, *step.inputs, {}, step.expert_rows);
  team.barrier();

  each_row([&](int64_t t) {
    routing.choose(step.logits + t * experts, data_or_null(layer.choice_bias), step.scratch + t * experts,
                   step.chosen + t * used, step.weights + t * used);
    if (!layer.expert_scale.empty()) {
      for (int64_t i = t * used; i < (t + 1) * used; ++i) step.weights[i] *= layer.expert_scale[step.chosen[i]];
    }
    if (!shares) return;
    const int64_t size = layer.shared_up->rows;
    float* row = step.shared_up + t * size;
    context.kernels.activate(layer.kind, layer.shared_gate != nullptr ? step.shared_gate + t * size : nullptr, size,
                             row);
    step.shared_hidden->set_row(t, row);
  });
  team.barrier();

  if (team.index() == 0) step.sort(routing);
  if (shares) project(*layer.shared_down, *step.shared_hidden, {}, step.shared);
  team.barrier();

  if (rows == 1) {
    if (team.index() == 0) step.pair_inputs->set_row(0, step.expert_rows);
  } else {
    each_pair([&](int64_t p) { step.pair_inputs->set_row(p, step.expert_rows + step.order[p] / used * narrow); });
  }
  team.barrier();

  // Panels of every expert that somebody chose, one expert after another.
  const auto project_pairs = [&](const Matrix& m, const Activations& x, const Vector& bias, int64_t features,
                                 float* y) {
    const int64_t panels = features / kLanes, active = *step.count;
    const int64_t grain = std::min(panels, m.grain(std::max<int64_t>(1, step.pairs / active), team.size()));
    team.loop(active * panels, grain, [&](int64_t begin, int64_t end) {
      while (begin < end) {
        const int64_t expert = step.active[begin / panels], from = begin % panels;
        const int64_t to = std::min(panels, from + end - begin);
        const int64_t first = step.starts[expert], count = step.starts[expert + 1] - first;
        // Outputs of the whole matrix would begin so far before those of this expert.
        float* const origin = y + first * features - expert * features;
        matmul_panel_rows(m, x, rows == 1 && &x == step.pair_inputs ? 0 : first, count, origin, features,
                          expert * panels + from, expert * panels + to, data_or_null(bias));
        begin += to - from;
      }
    });
  };
  project_pairs(*layer.up, *step.pair_inputs, layer.up_bias, hidden, step.up);
  if (layer.gate != nullptr) project_pairs(*layer.gate, *step.pair_inputs, layer.gate_bias, hidden, step.gate);
  team.barrier();

  each_pair([&](int64_t p) {
    float* row = step.up + p * hidden;
    float* const gate = layer.gate != nullptr ? step.gate + p * hidden : nullptr;
    if (layer.weighs_inputs) {
      // Both products are linear in what the expert gets.
      const float weight = step.weights[step.order[p]];
      context.kernels.scale(weight, hidden, row);
      if (gate != nullptr) context.kernels.scale(weight, hidden, gate);
    }
    context.kernels.activate(layer.kind, gate, hidden, row);
    step.hidden->set_row(p, row);
  });
  team.barrier();

  project_pairs(*layer.down, *step.hidden, layer.down_bias, narrow, step.mixed);
  team.barrier();

  const auto add_mixture = [&](int64_t t, float* row) {
    for (int64_t i = 0; i < used; ++i) {
      float* const part = step.mixed + step.place[t * used + i] * narrow;
      if (!layer.weighs_inputs) context.kernels.scale(step.weights[t * used + i], narrow, part);
      context.kernels.add(part, narrow, row);
    }
  };
  if (latent) {
    each_row([&](int64_t t) {
      float* const row = step.sums + t * narrow;
      std::fill(row, row + narrow, 0.0f);
      add_mixture(t, row);
      step.sum_inputs->set_row(t, row);
    });
    team.barrier();
    project(*layer.latent_up, *step.sum_inputs, {}, step.risen);
    team.barrier();
  }

  each_row([&](int64_t t) {
    float* const row = out + t * width;
    if (out != in) std::memcpy(row, in + t * width, sizeof(float) * static_cast<size_t>(width));
    // Without norms behind them the parts are added to the row one by one; with norms, to each other first.
    float* const sum = layer.has_post_norms() ? step.normed + t * width : row;
    if (sum != row) std::fill(sum, sum + width, 0.0f);
    float* const common = step.shared + t * width;
    if (shares && layer.shared_router != nullptr) {
      context.kernels.scale(1.0f / (1.0f + std::exp(-step.share[t])), width, common);
    }
    if (shares && sum == row) context.kernels.add(common, width, row);
    if (latent) {
      context.kernels.add(step.risen + t * width, width, sum);
    } else {
      add_mixture(t, sum);
    }
    if (sum != row) {
      const auto norm_row = [&](const RowNorm& norm, float* values) {
        if (!norm.empty()) norm.apply(context.kernels, values, values);
      };
      norm_row(layer.mixture_post_norm, sum);
      if (shares) {
        norm_row(layer.shared_post_norm, common);
        context.kernels.add(common, width, sum);
      }
      norm_row(layer.post_norm, sum);
      context.kernels.add(sum, width, row);
    }
    if (layer.output_scale != 1.0f) context.kernels.scale(layer.output_scale, width, row);
  });
}

}  // namespace mlxr
