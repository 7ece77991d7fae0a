// Runs every operation over awkward shapes on every instruction set of this CPU, for AddressSanitizer to watch, and
// checks that one set's results agree with another's. Exits 0 when all is well; prints what failed otherwise.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "base/half.h"
#include "ops/attention.h"
#include "ops/gated_delta_net.h"
#include "ops/mamba2.h"
#include "ops/mlp.h"
#include "ops/rows.h"
#include "ops/sampling.h"
#include "ops/short_conv.h"

namespace mlxr {
namespace {

std::mt19937 generator(1);
int failures = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("failed: %s\n", what);
  ++failures;
}

Vector random_floats(int64_t count, float size = 1.0f) {
  std::normal_distribution<float> normal(0.0f, size);
  Vector values(static_cast<size_t>(count));
  for (float& v : values) v = normal(generator);
  return values;
}

/// A matrix of exactly as many bytes as the format says, so that one read too many is seen.
MatrixPtr random_matrix(Isa isa, Type type, int64_t rows, int64_t cols) {
  if (type == Type::F32) {
    const Vector values = random_floats(rows * cols, 0.1f);
    return pack(type, rows, cols, reinterpret_cast<const uint8_t*>(values.data()), {}, isa);
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(rows) * row_bytes(type, cols));
  // Every half-precision scale among them is small and finite.
  // Scales of codebooks, which are at most 32, are too.
  const uint8_t most = type == Type::CODEBOOK ? 0x1f : 0x2f;
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(generator() & most);
  Extras extras;
  const Vector absmax(static_cast<size_t>(rows * cols / 64 + 1), 0.1f), map = random_floats(16);
  const Vector values(16, 3.0f);
  if (is_codebook(type)) extras = {.map = values.data()};
  if (type == Type::NF4) extras = {.absmax = absmax.data(), .absmax_block = 64, .map = map.data()};
  return pack(type, rows, cols, bytes.data(), extras, isa);
}

/// Sequences of the given lengths, each from position 0, in pages of their own.
std::shared_ptr<const Batch> batch_of(const std::vector<int>& before, const std::vector<int>& now, int page_size,
                                      int64_t* pages) {
  std::vector<int32_t> starts{0}, contexts, positions, slots, tables;
  int width = 1;
  for (size_t s = 0; s < now.size(); ++s) width = std::max(width, (before[s] + now[s] + page_size - 1) / page_size);
  for (size_t s = 0; s < now.size(); ++s) {
    starts.push_back(starts.back() + now[s]);
    contexts.push_back(before[s] + now[s]);
    for (int i = 0; i < width; ++i) tables.push_back(static_cast<int32_t>(s) * width + (i + 3) % width);
    for (int p = before[s]; p < before[s] + now[s]; ++p) {
      positions.push_back(p);
      slots.push_back(tables[s * static_cast<size_t>(width) + static_cast<size_t>(p / page_size)] * page_size +
                      p % page_size);
    }
  }
  *pages = static_cast<int64_t>(now.size()) * width;
  return std::make_shared<Batch>(starts, contexts, positions, std::vector<GroupTables>{{slots, tables, page_size}});
}

struct Case {
  int heads, kv_heads, head_dim, page_size, window;
  bool dressed, causal;
  PageTypes types = {};
};

/// Two adapters, one of floats and one that half precision holds, on some of a layer's rows each, and both on others.
std::shared_ptr<const AdapterRows> random_adapters(int64_t rows, int64_t width, int64_t queries, int64_t keys) {
  const std::mt19937 before = generator;  // what else is drawn stays the same
  const std::vector<std::pair<int64_t, int64_t>> shapes{
      {queries, width}, {keys, width}, {keys, width}, {width, queries}, {100, width}, {100, width}, {width, 100}};
  std::vector<AdapterUse> uses;
  for (const int64_t rank : {5, 17}) {
    auto adapter = std::make_shared<Adapter>();
    for (size_t role = 0; role < shapes.size(); ++role) {
      const auto [outputs, inputs] = shapes[role];
      Vector down = random_floats(rank * inputs, 0.05f), up = random_floats(outputs * rank, 0.05f);
      for (Vector* values : {&down, &up}) {
        for (float& v : *values) v = rank == 5 ? v : half_to_float(float_to_half(v));
      }
      adapter->parts[place_number(0, static_cast<AdapterRole>(role))] =
          std::make_shared<const LowRank>(rank, outputs, inputs, down.data(), up.data(), 2.0f);
    }
    uses.push_back({adapter, 0.5f});
  }
  generator = before;
  std::vector<int32_t> owners;
  for (int64_t row = 0; row < rows; ++row) owners.push_back(static_cast<int32_t>(row / 3 % 4) - 1);
  return std::make_shared<const AdapterRows>(std::vector<AdapterStack>{{uses[0]}, {uses[1]}, {uses[1], uses[0]}},
                                             std::move(owners));
}

std::vector<float> run_layers(Isa isa, int threads, const Case& c, bool adapted = false) {
  generator.seed(7);
  Engine engine(threads, isa);
  const int64_t width = 64, queries = int64_t{c.heads} * c.head_dim, keys = int64_t{c.kv_heads} * c.head_dim;
  const auto optional = [&](int64_t size) { return c.dressed ? random_floats(size, 0.3f) : Vector{}; };
  Vector frequencies(static_cast<size_t>(c.head_dim / 2), 0.01f);
  auto rope = std::make_shared<const Rope>(Rope{c.dressed, frequencies, 1.0f});
  auto layer = std::make_shared<AttentionLayer>(
      AttentionLayer{random_matrix(isa, Type::F32, queries, width),
                     random_matrix(isa, Type::F32, keys, width),
                     random_matrix(isa, Type::F32, keys, width),
                     random_matrix(isa, Type::F32, width, queries),
                     c.dressed ? random_matrix(isa, Type::F32, queries, width) : nullptr,
                     {optional(width), optional(width), c.dressed, 1e-5f},
                     optional(c.window > 0 ? queries : c.head_dim),
                     optional(c.window > 0 ? keys : c.head_dim),
                     optional(width),
                     optional(queries),
                     optional(keys),
                     optional(keys),
                     optional(width),
                     optional(c.heads),
                     {c.heads, c.kv_heads, c.head_dim, c.window, c.causal, c.dressed},
                     rope,
                     c.dressed,
                     {0.3f, c.dressed ? 5 : 0, 1},
                     0.2f,
                     1e-5f,
                     c.dressed ? 20.0f : 0.0f,
                     {},
                     optional(c.head_dim)});
  layer->check();
  auto mlp = std::make_shared<MlpLayer>(MlpLayer{random_matrix(isa, Type::F32, 100, width),
                                                 random_matrix(isa, Type::F32, width, 100),
                                                 c.dressed ? random_matrix(isa, Type::F32, 100, width) : nullptr,
                                                 {optional(width), optional(width), c.dressed, 1e-5f},
                                                 optional(width),
                                                 optional(100),
                                                 {},
                                                 optional(width),
                                                 Nonlinearity::Gelu,
                                                 1e-5f,
                                                 c.dressed});
  mlp->check();
  mlp->layer = 0;
  std::vector<float> all;
  std::shared_ptr<PagePool> pool;
  std::vector<int> before{0, 0, 0};
  const int longest = c.page_size == 16 && !c.dressed ? 560 : 60;
  for (const std::vector<int>& now :
       std::vector<std::vector<int>>{{37, 0, 5}, {1, 12, 1}, {longest, 1, 0}, {1, 1, 1}}) {
    int64_t pages = 0;
    auto batch = batch_of(before, now, c.page_size, &pages);
    if (pool == nullptr || pool->group(0).pages() < pages) {
      pool = std::make_shared<PagePool>();
      pool->add({0}, pages, PageShape{c.page_size, c.kv_heads, c.head_dim, c.types}.parts(), c.types);
    }
    const int64_t tokens = batch->tokens();
    const std::vector<FusedOperation> operations{
        {std::make_shared<KeepOperation>(), -1, tokens, width},
        {std::make_shared<AttentionOperation>(layer, batch, c.causal ? pool : nullptr, 0), -1, tokens, width},
        {std::make_shared<MlpOperation>(mlp), -1, tokens, width}};
    const Vector x = random_floats(tokens * width);
    std::vector<float> out(static_cast<size_t>(tokens * width));
    const auto adapters = adapted ? random_adapters(tokens, width, queries, keys) : nullptr;
    engine.run(operations, x.data(), tokens, width, {}, out.data(), adapters.get());
    all.insert(all.end(), out.begin(), out.end());
    for (size_t s = 0; s < before.size(); ++s) before[s] += now[s];
  }
  return all;
}

double greatest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double greatest = 0;
  for (size_t i = 0; i < a.size(); ++i) greatest = std::max(greatest, std::abs(static_cast<double>(a[i]) - b[i]));
  return greatest;
}

void check_layers() {
  const PageTypes codes{NumberType::Int8, NumberType::Int8}, keys{NumberType::Int8, NumberType::Half},
      values{NumberType::Half, NumberType::Int8};
  for (const Case& c :
       {Case{6, 2, 32, 16, 0, false, true}, Case{3, 3, 8, 1, 9, true, true}, Case{4, 1, 80, 5, 0, true, true},
        Case{14, 2, 24, 32, 40, false, true}, Case{4, 2, 64, 16, 0, true, false},
        Case{6, 2, 32, 16, 0, false, true, codes}, Case{4, 1, 80, 5, 0, true, true, codes},
        Case{14, 2, 24, 32, 40, false, true, keys}, Case{6, 2, 64, 16, 0, false, true, values}}) {
    const std::vector<float> expected = run_layers(Isa::Portable, 1, c);
    for (const float v : expected) {
      if (!std::isfinite(v)) return expect(false, "a layer's output is finite");
    }
    const std::vector<float> adapted = run_layers(Isa::Portable, 1, c, true);
    expect(greatest_difference(adapted, expected) > 1e-2, "adapters make a difference");
    for (const Isa isa : usable_isas()) {
      expect(greatest_difference(run_layers(isa, 3, c), expected) < 2e-2, "instruction sets agree on a layer");
      expect(greatest_difference(run_layers(isa, 3, c, true), adapted) < 2e-2, "they do so with adapters");
    }
  }
}

/// The recurrent mixers, one behind another, over steps that cut sequences anywhere.
std::vector<float> run_recurrent(Isa isa, int threads, int heads, int head_dim, int groups, int state_size, int taps) {
  generator.seed(11);
  Engine engine(threads, isa);
  const int64_t width = 64, inner = int64_t{heads} * head_dim, channels = inner + 2 * int64_t{groups} * state_size;
  const auto half = [&](int64_t in, int64_t out) {
    return RecurrentHalf{random_matrix(isa, Type::F32, in, width),
                         random_matrix(isa, Type::F32, width, out),
                         random_floats(width),
                         random_floats(in, 0.3f),
                         {},
                         1e-5f};
  };
  auto space = std::make_shared<Mamba2Layer>(
      Mamba2Layer{half(inner + channels + heads, inner),
                  Convolution(random_floats(channels * taps, 0.5f), random_floats(channels, 0.3f), taps),
                  Vector(static_cast<size_t>(heads), -0.5f), random_floats(heads), random_floats(heads),
                  random_floats(inner), heads, head_dim, groups, state_size, 1e-5f, 0.0f, INFINITY});
  space->check();
  auto convolution = std::make_shared<ShortConvLayer>(
      ShortConvLayer{half(3 * width, width), Convolution(random_floats(width * taps, 0.5f), {}, taps)});
  convolution->check();
  const int64_t keys = int64_t{groups} * state_size, all_heads = 2 * keys + inner;
  const auto matrix = [&](int64_t rows, int64_t cols) { return random_matrix(isa, Type::F32, rows, cols); };
  auto delta = std::make_shared<GatedDeltaNetLayer>(GatedDeltaNetLayer{
      matrix(all_heads, width), matrix(inner, width), matrix(heads, width), matrix(heads, width), matrix(width, inner),
      Convolution(random_floats(all_heads * taps, 0.5f), {}, taps), Vector(static_cast<size_t>(heads), -0.5f),
      random_floats(heads), random_floats(head_dim), random_floats(width),
      Vector(static_cast<size_t>(state_size), 0.2f), Vector(static_cast<size_t>(state_size), 0.4f), groups, heads,
      state_size, head_dim, head_dim % 2 == 0, 1e-5f});
  delta->check();
  auto pool = std::make_shared<PagePool>();
  pool->add({0}, 3, state_parts(space->state_numbers()));
  pool->add({1}, 3, state_parts(convolution->convolution.state_numbers()));
  pool->add({2}, 3, state_parts(delta->state_numbers()));
  std::vector<float> all;
  std::vector<int> before{0, 0, 0};
  for (const std::vector<int>& now : std::vector<std::vector<int>>{{37, 0, 5}, {1, 2, 1}, {70, 1, 0}, {1, 1, 1}}) {
    std::vector<int32_t> starts{0}, contexts, positions;
    for (size_t s = 0; s < now.size(); ++s) {
      starts.push_back(starts.back() + now[s]);
      contexts.push_back(before[s] + now[s]);
      for (int i = 0; i < now[s]; ++i) positions.push_back(before[s] + i);
      before[s] += now[s];
    }
    const GroupTables states{{}, {2, 0, 1}, 16};
    auto batch =
        std::make_shared<const Batch>(starts, contexts, positions, std::vector<GroupTables>{states, states, states});
    const int64_t tokens = batch->tokens();
    const std::vector<FusedOperation> operations{
        {std::make_shared<Mamba2Operation>(space, batch, pool, 0), -1, tokens, width},
        {std::make_shared<ShortConvOperation>(convolution, batch, pool, 1), -1, tokens, width},
        {std::make_shared<GatedDeltaNetOperation>(delta, batch, pool, 2), -1, tokens, width}};
    const Vector x = random_floats(tokens * width);
    std::vector<float> out(static_cast<size_t>(tokens * width));
    engine.run(operations, x.data(), tokens, width, {}, out.data());
    all.insert(all.end(), out.begin(), out.end());
  }
  return all;
}

void check_recurrent() {
  struct Sizes { int heads, head_dim, groups, state_size, taps; };
  for (const Sizes& s : {Sizes{4, 64, 2, 16, 4}, Sizes{3, 21, 3, 7, 2}, Sizes{2, 80, 1, 5, 6}, Sizes{5, 1, 1, 1, 3}}) {
    const auto run = [&](Isa isa, int threads) {
      return run_recurrent(isa, threads, s.heads, s.head_dim, s.groups, s.state_size, s.taps);
    };
    const std::vector<float> expected = run(Isa::Portable, 1);
    for (const float v : expected) {
      if (!std::isfinite(v)) return expect(false, "a recurrent layer's output is finite");
    }
    for (const Isa isa : usable_isas()) {
      expect(greatest_difference(run(isa, 3), expected) < 1e-3, "instruction sets agree on a recurrent layer");
    }
  }
}

void check_products() {
  for (const TypeInfo& known : kTypes) {
    for (const Isa isa : usable_isas()) {
      for (const int64_t rows : {1, 5, 33}) {
        generator.seed(3);
        Engine engine(2, isa);
        const MatrixPtr matrix = random_matrix(isa, known.type, 37, 512);
        const Vector x = random_floats(rows * 512), bias = random_floats(37);
        std::vector<float> out(static_cast<size_t>(rows * 37)), picked(3 * 512);
        engine.run({{std::make_shared<LinearOperation>(matrix, bias), -1, rows, 37}}, x.data(), rows, 512, {},
                   out.data());
        const std::vector<int32_t> ids{0, 36, -1};
        engine.run({{std::make_shared<EmbedOperation>(matrix, 2.0f), 0, 3, 512}}, nullptr, 0, 0, {ids.data()},
                   picked.data());
        expect(std::all_of(picked.begin() + 1024, picked.end(), [](float v) { return v == 0.0f; }),
               "no token embeds as zeros");
        auto head = std::make_shared<Head>(Head{matrix, {Vector(512, 1.0f), {}, false, 1e-5f}, bias, 5.0f});
        std::vector<float> logits(2 * 37);
        const std::vector<int32_t> last{static_cast<int32_t>(rows) - 1, 0};
        engine.run({{std::make_shared<LogitsOperation>(head), 0, 2, 37}}, x.data(), rows, 512, {last.data()},
                   logits.data());
      }
    }
  }
}

void check_sampling() {
  for (const Isa isa : usable_isas()) {
    Engine engine(3, isa);
    for (const int64_t vocabulary : {1, 7, 33, 1000}) {
      const int64_t count = 6;
      Vector logits = random_floats(count * vocabulary, 3.0f);
      logits[static_cast<size_t>(5 * vocabulary)] = NAN;
      SamplingRows rows;
      rows.temperature = {0, 1, 0.1f, 2, 1, 1};
      rows.top_p = {1, 0.9f, 1, 0.1f, 1, 1};
      rows.min_p = {0, 0, 0.1f, 0, 0, 0};
      rows.typical_p = {1, 1, 1, 1, 0.5f, 1};
      rows.repetition = {1.1f, 1, 1, 2, 1, 1};
      rows.presence = rows.frequency = {0.1f, 0, 0, 0, 0, 0};
      rows.uniform = {0, 0.999f, 0.5f, 0, 0.2f, 0.3f};
      rows.top_k = {0, 3, 2000, 1, 0, 0};
      rows.history.assign(static_cast<size_t>(count * 4), 0);
      rows.history[1] = static_cast<int32_t>(vocabulary) - 1;
      rows.history[2] = -1;
      rows.history[3] = static_cast<int32_t>(vocabulary);
      rows.generated.assign(static_cast<size_t>(count * 4), 1);
      rows.bias_rows = {1, 2};
      rows.bias_tokens = {0, static_cast<int32_t>(vocabulary)};
      rows.bias_values = {2.0f, 1.0f};
      rows.validator = [vocabulary](const int32_t*, int64_t asked) {
        std::vector<std::pair<int64_t, std::vector<int32_t>>> all;
        for (int64_t r = 0; r < asked; ++r) {
          all.emplace_back(r, std::vector<int32_t>(static_cast<size_t>((vocabulary + 31) / 32), -1));
        }
        return all;
      };
      rows.logprobs = 9;
      std::vector<int32_t> tokens(static_cast<size_t>(count)), top(static_cast<size_t>(count * 9));
      std::vector<float> logprobs(static_cast<size_t>(count)), top_logprobs(static_cast<size_t>(count * 9));
      sample(engine, logits.data(), vocabulary, rows,
             {tokens.data(), logprobs.data(), top.data(), top_logprobs.data(), 9});
      for (int64_t r = 0; r < 5; ++r) {
        const int32_t token = tokens[static_cast<size_t>(r)];
        expect(token >= 0 && token < vocabulary, "a drawn token is of the vocabulary");
      }
      expect(tokens[5] == -1, "a row with a NaN draws nothing");
    }
  }
}

}  // namespace
}  // namespace mlxr

int main() {
  mlxr::check_products();
  mlxr::check_layers();
  mlxr::check_recurrent();
  mlxr::check_sampling();
  return mlxr::failures == 0 ? 0 : 1;
}
