#include "ops/sampling.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace mlxr {
namespace {

constexpr float kLeast = -std::numeric_limits<float>::infinity();

struct Candidate {
  float logit;
  int32_t id;
  double weight;  // exp of the distance from the best, over temperature
};

bool ranks_before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

/// One thread's scratch.
struct Scratch {
  float* logits;    // [vocabulary]
  int32_t* ids;     // [vocabulary]
  int32_t* counts;  // [vocabulary], zero between uses
};

/// Candidates of a row in rank order, found a stretch at a time: those near the best first, which nearly always
/// suffice.
class Ranking {
 public:
  Ranking(const KernelTable& kernels, const float* logits, int64_t n, float best, float temperature, int32_t* ids)
      : kernels_(kernels), logits_(logits), n_(n), best_(best), temperature_(temperature), ids_(ids) {}

  /// The next candidate, or null when none is left.
  const Candidate* next() {
    while (heap_.empty()) {
      if (!widen()) return nullptr;
    }
    std::pop_heap(heap_.begin(), heap_.end(), after);
    current_ = heap_.back();
    heap_.pop_back();
    return &current_;
  }

  /// The `count` best, or all there are.
  std::vector<Candidate> first(int64_t count) {
    std::vector<Candidate> found;
    while (static_cast<int64_t>(found.size()) < count && widen()) {
      found.insert(found.end(), heap_.begin(), heap_.end());
      heap_.clear();
    }
    const auto middle = found.begin() + std::min<int64_t>(count, static_cast<int64_t>(found.size()));
    std::partial_sort(found.begin(), middle, found.end(), ranks_before);
    found.erase(middle, found.end());
    return found;
  }

 private:
  static bool after(const Candidate& a, const Candidate& b) { return ranks_before(b, a); }

  /// Takes in the candidates of the next stretch; false when all are in.
  bool widen() {
    if (done_) return false;
    const float above = reach_ > kWidest ? kLeast : best_ - reach_ * temperature_;
    done_ = reach_ > kWidest || above == kLeast;
    reach_ *= 2;
    const int64_t count = kernels_.indices_above(logits_, n_, above, ids_);
    heap_.clear();
    for (int64_t i = 0; i < count; ++i) {
      const float logit = logits_[ids_[i]];
      if (logit > below_) continue;
      heap_.push_back({logit, ids_[i], std::exp((static_cast<double>(logit) - best_) / temperature_)});
    }
    std::make_heap(heap_.begin(), heap_.end(), after);
    below_ = above;
    return true;
  }

  static constexpr float kWidest = 64;

  const KernelTable& kernels_;
  const float* logits_;
  int64_t n_;
  float best_, temperature_;
  int32_t* ids_;
  float reach_ = 4;                                       // in units of the temperature
  float below_ = std::numeric_limits<float>::infinity();  // candidates above this were taken in before
  bool done_ = false;
  std::vector<Candidate> heap_;
  Candidate current_{};
};

/// Keeps the candidates whose surprise is nearest to the entropy, as few as reach `mass` together (Meister et al.
/// 2022).
void keep_typical(std::vector<Candidate>& ranked, double mass) {
  double total = 0, entropy = 0;
  for (const Candidate& c : ranked) total += c.weight;
  for (const Candidate& c : ranked) {
    if (c.weight > 0) entropy -= c.weight / total * std::log(c.weight / total);
  }
  std::vector<std::pair<double, size_t>> order(ranked.size());
  for (size_t i = 0; i < ranked.size(); ++i) order[i] = {std::abs(-std::log(ranked[i].weight / total) - entropy), i};
  std::sort(order.begin(), order.end());
  std::vector<size_t> kept;
  double before = 0;
  for (const auto& [distance, i] : order) {
    if (before >= mass && before > 0) break;
    kept.push_back(i);
    before += ranked[i].weight / total;
  }
  std::sort(kept.begin(), kept.end());
  std::vector<Candidate> left;
  for (const size_t i : kept) left.push_back(ranked[i]);
  ranked = std::move(left);
}

int32_t draw(const std::vector<Candidate>& kept, double uniform) {
  double total = 0, cumulative = 0;
  for (const Candidate& c : kept) total += c.weight;
  for (const Candidate& c : kept) {
    cumulative += c.weight;
    if (cumulative > uniform * total) return c.id;
  }
  return kept.back().id;
}

/// Applies top_p and min_p to candidates that come in rank order from `next`, whose weights sum to `total`, and draws.
template <class Next>
int32_t filter_and_draw(Next next, double total, float top_p, float min_p, double uniform) {
  const bool filtered = top_p < 1.0f || min_p > 0.0f;
  std::vector<Candidate> kept;
  double before = 0;
  int32_t last = -1;
  for (const Candidate* c = next(); c != nullptr; c = next()) {
    if (top_p < 1.0f && before >= top_p * total && before > 0) break;
    if (!kept.empty() && c->weight < min_p * kept.front().weight) break;
    before += c->weight;
    last = c->id;
    if (filtered) {
      kept.push_back(*c);
    } else if (before > uniform * total) {
      return c->id;
    }
  }
  return kept.empty() ? last : draw(kept, uniform);
}

int32_t draw_row(const KernelTable& kernels, const float* logits, int64_t n, int64_t best, const SamplingRows& rows,
                 int64_t r, float uniform, int32_t* ids) {
  const float temperature = rows.temperature[r], top = logits[best];
  Ranking ranking(kernels, logits, n, top, temperature, ids);
  const int64_t top_k = rows.top_k[r];
  const bool typical = rows.typical_p[r] < 1.0f;
  if (top_k <= 0 && !typical) {
    const double total = kernels.exp_sum(logits, n, top, 1.0f / temperature);
    return filter_and_draw([&] { return ranking.next(); }, total, rows.top_p[r], rows.min_p[r], uniform);
  }
  std::vector<Candidate> kept = ranking.first(top_k > 0 ? std::min(top_k, n) : n);
  if (typical) keep_typical(kept, rows.typical_p[r]);
  double total = 0;
  for (const Candidate& c : kept) total += c.weight;
  size_t at = 0;
  const auto next = [&]() -> const Candidate* { return at < kept.size() ? &kept[at++] : nullptr; };
  return filter_and_draw(next, total, rows.top_p[r], rows.min_p[r], uniform);
}

bool penalized(const SamplingRows& rows, int64_t r) {
  return !rows.history.empty() && (rows.repetition[r] != 1.0f || rows.presence[r] != 0.0f || rows.frequency[r] != 0.0f);
}

/// Repetition (Keskar et al. 2019) for every token of the history once; presence once and frequency for every
/// occurrence among the generated.
void penalize(const SamplingRows& rows, int64_t r, int64_t n, int32_t* counts, float* logits) {
  const int64_t width = rows.history_width();
  const int32_t* history = rows.history.data() + r * width;
  const uint8_t* generated = rows.generated.empty() ? nullptr : rows.generated.data() + r * width;
  const float repetition = rows.repetition[r];
  // Counts hold twice the generated occurrences, plus one for a token that was seen at all.
  for (int64_t i = 0; i < width; ++i) {
    if (history[i] < 0 || history[i] >= n) continue;
    int32_t& count = counts[history[i]];
    count |= 1;
    if (generated != nullptr && generated[i]) count += 2;
  }
  for (int64_t i = 0; i < width; ++i) {
    if (history[i] < 0 || history[i] >= n || counts[history[i]] == 0) continue;
    float& logit = logits[history[i]];
    const int32_t count = counts[history[i]] / 2;
    if (repetition != 1.0f) logit = logit > 0 ? logit / repetition : logit * repetition;
    if (count > 0) logit = logit - rows.presence[r] - rows.frequency[r] * static_cast<float>(count);
    counts[history[i]] = 0;
  }
}

/// Tokens that a row may take, as bits; all of them where there are none.
struct Mask {
  const int32_t* bits = nullptr;
  int64_t width = 0;
};

/// The row's logits after penalties, bias and mask: `raw` itself where nothing applies.
const float* adjusted(const SamplingRows& rows, int64_t r, const float* raw, int64_t n, Mask mask,
                      const Scratch& scratch) {
  const bool biased =
      std::find(rows.bias_rows.begin(), rows.bias_rows.end(), static_cast<int32_t>(r)) != rows.bias_rows.end();
  if (!penalized(rows, r) && !biased && mask.bits == nullptr) return raw;
  std::memcpy(scratch.logits, raw, sizeof(float) * static_cast<size_t>(n));
  if (penalized(rows, r)) penalize(rows, r, n, scratch.counts, scratch.logits);
  for (size_t i = 0; i < rows.bias_rows.size(); ++i) {
    const int32_t token = rows.bias_tokens[i];
    if (rows.bias_rows[i] == r && token >= 0 && token < n) scratch.logits[token] += rows.bias_values[i];
  }
  if (mask.bits == nullptr) return scratch.logits;
  for (int64_t t = 0; t < n; ++t) {
    const uint32_t word = t / 32 < mask.width ? static_cast<uint32_t>(mask.bits[t / 32]) : 0;
    if (word == 0 && t % 32 == 0) {
      std::fill(scratch.logits + t, scratch.logits + std::min(t + 32, n), kLeast);
      t += 31;
    } else if ((word >> t % 32 & 1) == 0) {
      scratch.logits[t] = kLeast;
    }
  }
  return scratch.logits;
}

int32_t sample_row(const KernelTable& kernels, const float* raw, int64_t n, const SamplingRows& rows, int64_t r,
                   Mask mask, float uniform, const Scratch& scratch) {
  const float* logits = adjusted(rows, r, raw, n, mask, scratch);
  const int64_t best = kernels.argmax(logits, n);
  if (best < 0 || !std::isfinite(logits[best])) return -1;
  if (rows.temperature[r] <= 0) return static_cast<int32_t>(best);
  return draw_row(kernels, logits, n, best, rows, r, uniform, scratch.ids);
}

/// Another number in [0, 1) with 24 bits, for a row that is drawn again: that its first one led to a forbidden token
/// says where it lies. SplitMix64 (Steele et al. 2014) of its bits.
float another(float uniform) {
  uint64_t z = static_cast<uint64_t>(uniform * 16777216.0f) + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return static_cast<float>((z ^ (z >> 31)) >> 40) / 16777216.0f;
}

void row_logprobs(const KernelTable& kernels, const float* logits, int64_t n, int64_t r, int32_t token,
                  const SampledOutputs& out, int32_t* ids) {
  const int64_t best = std::max<int64_t>(0, kernels.argmax(logits, n));
  const float normalizer = logits[best] + static_cast<float>(std::log(kernels.exp_sum(logits, n, logits[best], 1.0f)));
  const int64_t in_range = std::clamp<int64_t>(token, 0, n - 1);
  out.logprobs[r] = logits[in_range] - normalizer;
  if (out.alternatives <= 0) return;
  std::vector<Candidate> ranked;
  if (std::isfinite(logits[best])) {
    ranked = Ranking(kernels, logits, n, logits[best], 1.0f, ids).first(out.alternatives);
  }
  for (int k = 0; k < out.alternatives; ++k) {
    // Fewer finite logits than alternatives: the rest repeats the last, at its own log-probability.
    const bool repeats = static_cast<size_t>(k) >= ranked.size();
    const int32_t id = ranked.empty() ? 0 : repeats ? ranked.back().id : ranked[static_cast<size_t>(k)].id;
    out.top_tokens[r * out.alternatives + k] = id;
    out.top_logprobs[r * out.alternatives + k] = logits[id] - normalizer;
  }
}

/// Runs body(row, scratch) for every row on the engine's threads.
template <class Body>
void for_rows(Engine& engine, int64_t rows, int64_t n, Body body) {
  Workspace& space = engine.workspace();
  const int64_t line = (n + 15) / 16 * 16, threads = engine.pool().size();
  space.reserve_floats(Buffer::Gate, line * threads);
  space.reserve_floats(Buffer::Up, line * threads);
  space.reserve_zeroed(Buffer::Counts, static_cast<size_t>(line * threads) * sizeof(int32_t));
  const auto scratch = [&](int thread) {
    return Scratch{space.at(Buffer::Gate) + thread * line, space.at<int32_t>(Buffer::Up) + thread * line,
                   space.at<int32_t>(Buffer::Counts) + thread * line};
  };
  if (rows == 1) return body(int64_t{0}, scratch(0));
  engine.pool().parallel([&](Team& team) {
    team.loop(rows, 1, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) body(r, scratch(team.index()));
    });
  });
}

}  // namespace

void sample(Engine& engine, const float* logits, int64_t vocabulary, const SamplingRows& rows,
            const SampledOutputs& out) {
  const KernelTable& kernels = engine.kernels();
  const auto draw = [&](int64_t r, Mask mask, float uniform, const Scratch& scratch) {
    out.tokens[r] = sample_row(kernels, logits + r * vocabulary, vocabulary, rows, r, mask, uniform, scratch);
  };
  for_rows(engine, rows.rows(), vocabulary,
           [&](int64_t r, const Scratch& scratch) { draw(r, {}, rows.uniform[r], scratch); });
  if (rows.validator) {
    const auto forbidden = rows.validator(out.tokens, rows.rows());
    for_rows(engine, static_cast<int64_t>(forbidden.size()), vocabulary, [&](int64_t i, const Scratch& scratch) {
      const auto& [r, allowed] = forbidden[static_cast<size_t>(i)];
      draw(r, {allowed.data(), static_cast<int64_t>(allowed.size())}, another(rows.uniform[r]), scratch);
    });
  }
  if (out.logprobs == nullptr) return;
  for_rows(engine, rows.rows(), vocabulary, [&](int64_t r, const Scratch& scratch) {
    row_logprobs(kernels, logits + r * vocabulary, vocabulary, r, out.tokens[r], out, scratch.ids);
  });
}

void token_logprobs(Engine& engine, const float* logits, int64_t rows, int64_t vocabulary, const int32_t* tokens,
                    const SampledOutputs& out) {
  for_rows(engine, rows, vocabulary, [&](int64_t r, const Scratch& scratch) {
    out.tokens[r] = tokens[r];
    row_logprobs(engine.kernels(), logits + r * vocabulary, vocabulary, r, tokens[r], out, scratch.ids);
  });
}

}  // namespace mlxr
