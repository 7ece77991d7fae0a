// Choosing tokens from rows of logits, and their log-probabilities. Rules: mlxr.runtime.messages.common.Sampling and
// mlxr.metal.sampling.SamplingBatch.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "ops/operation.h"

namespace mlxr {

/// Asked about tokens that were drawn as if all were allowed, one a row: the rows whose token is forbidden, each with
/// those it may take (bit t % 32 of word t / 32 is token t's). Called from the thread that samples; may wait for the
/// interpreter's lock.
using Validator =
    std::function<std::vector<std::pair<int64_t, std::vector<int32_t>>>(const int32_t* tokens, int64_t rows)>;

/// As mlxr.metal.sampling.SamplingBatch; empty vectors stand for None.
struct SamplingRows {
  std::vector<float> temperature, top_p, min_p, typical_p, repetition, presence, frequency, uniform;
  std::vector<int32_t> top_k;
  std::vector<int32_t> history;    // [rows, history_width]
  std::vector<uint8_t> generated;  // likewise
  std::vector<int32_t> bias_rows, bias_tokens;
  std::vector<float> bias_values;
  Validator validator;  // null: all tokens are allowed
  int logprobs = -1;

  int64_t rows() const { return static_cast<int64_t>(temperature.size()); }
  int64_t history_width() const { return rows() == 0 ? 0 : static_cast<int64_t>(history.size()) / rows(); }
};

/// Where results of R rows go; null where not asked for. `top_*` are [R, alternatives].
struct SampledOutputs {
  int32_t* tokens;
  float* logprobs = nullptr;
  int32_t* top_tokens = nullptr;
  float* top_logprobs = nullptr;
  int alternatives = 0;
};

/// logits [rows.rows(), vocabulary]. A row with a NaN or without a finite best logit gets token -1.
void sample(Engine& engine, const float* logits, int64_t vocabulary, const SamplingRows& rows,
            const SampledOutputs& out);

/// Log-probabilities of given tokens, which are copied to out.tokens.
void token_logprobs(Engine& engine, const float* logits, int64_t rows, int64_t vocabulary, const int32_t* tokens,
                    const SampledOutputs& out);

}  // namespace mlxr
