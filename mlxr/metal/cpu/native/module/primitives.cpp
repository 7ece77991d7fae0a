#include "module/primitives.h"

#include <mlx/allocator.h>
#include <mlx/backend/cpu/encoder.h>

#include <algorithm>
#include <stdexcept>

#include "base/check.h"
#include "ops/per_layer.h"
#include "ops/rows.h"

namespace mlxr {
namespace {

/// An operation and what came before it; primitives that share a beginning share its nodes.
struct Node {
  std::shared_ptr<const Node> before;
  FusedOperation fused;
};

/// The operations up to `node`, first to last.
std::vector<FusedOperation> operations_to(const Node* node) {
  std::vector<FusedOperation> operations;
  for (; node != nullptr; node = node->before.get()) operations.push_back(node->fused);
  std::reverse(operations.begin(), operations.end());
  return operations;
}

mx::Stream stream() { return mx::default_stream(mx::Device(mx::Device::cpu)); }

template <class T>
T* allocate(mx::array& out) {
  out.set_data(mx::allocator::malloc(out.nbytes()));
  return out.data<T>();
}

/// Where an input's values lie; a copy in row order is made when the array is a strided view.
class Values {
 public:
  explicit Values(const mx::array& a) : array_(mx::array::unsafe_weak_copy(a)) {}

  template <class T>
  const T* get() {
    const T* data = array_.data<T>();
    if (array_.flags().row_contiguous || array_.size() <= 1) return data;
    copy_.resize(array_.size() * sizeof(T));
    T* to = reinterpret_cast<T*>(copy_.data());
    const bool matrix = array_.ndim() == 2;
    const int64_t columns = matrix ? array_.shape(1) : array_.shape(0), rows = matrix ? array_.shape(0) : 1;
    const int64_t down = matrix ? array_.strides(0) : 0, along = array_.strides(matrix ? 1 : 0);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) *to++ = data[r * down + c * along];
    }
    return reinterpret_cast<const T*>(copy_.data());
  }

 private:
  mx::array array_;
  std::vector<char> copy_;
};

class NativePrimitive : public mx::Primitive {
 public:
  NativePrimitive(mx::Stream stream, EnginePtr engine) : mx::Primitive(stream), engine_(std::move(engine)) {}
  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override {
    throw std::runtime_error("mlxr's CPU operations run on a CPU stream only");
  }
  const EnginePtr& engine() const { return engine_; }

 private:
  EnginePtr engine_;
};

class FusedOperations : public NativePrimitive {
 public:
  FusedOperations(mx::Stream stream, EnginePtr engine, std::shared_ptr<const Node> node, bool has_rows,
                  std::weak_ptr<PoolHandle> pool, AdaptersPtr adapters)
      : NativePrimitive(stream, std::move(engine)),
        node_(std::move(node)),
        has_rows_(has_rows),
        pool_(std::move(pool)),
        adapters_(std::move(adapters)) {}

  const char* name() const override { return "MlxrFusedOperations"; }
  const std::shared_ptr<const Node>& node() const { return node_; }
  bool has_rows() const { return has_rows_; }
  PoolPtr pool() const { return pool_.lock(); }
  const AdaptersPtr& adapters() const { return adapters_; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    float* out = allocate<float>(outputs[0]);
    std::vector<FusedOperation> operations = operations_to(node_.get());
    std::vector<Values> values;
    for (const mx::array& input : inputs) values.emplace_back(input);
    const int64_t rows = has_rows_ ? inputs[0].shape(0) : 0, width = has_rows_ ? inputs[0].shape(1) : 0;
    auto task = [engine = engine(), operations = std::move(operations), values = std::move(values),
                 adapters = adapters_, has_rows = has_rows_, rows, width, out]() mutable {
      std::vector<const int32_t*> ids(values.size(), nullptr);
      for (size_t i = has_rows ? 1 : 0; i < values.size(); ++i) ids[i] = values[i].get<int32_t>();
      engine->run(operations, has_rows ? values[0].get<float>() : nullptr, rows, width, ids, out, adapters.get());
    };
    mx::cpu::get_command_encoder(this->stream()).dispatch(std::move(task));
  }

 private:
  std::shared_ptr<const Node> node_;
  bool has_rows_;  // whether the first input is rows of activations
  std::weak_ptr<PoolHandle> pool_;
  AdaptersPtr adapters_;
};

/// The fused operations that will make x, if more can be added.
const FusedOperations* unevaluated_operations(const mx::array& x, const EnginePtr& engine) {
  if (!x.has_primitive() || x.status() != mx::array::Status::unscheduled) return nullptr;
  const auto* made = dynamic_cast<const FusedOperations*>(&x.primitive());
  return made != nullptr && made->engine() == engine ? made : nullptr;
}

SampledOutputs allocate_outputs(std::vector<mx::array>& outputs) {
  SampledOutputs out{allocate<int32_t>(outputs[0])};
  if (outputs.size() > 1) out.logprobs = allocate<float>(outputs[1]);
  if (outputs.size() > 2) {
    out.top_tokens = allocate<int32_t>(outputs[2]);
    out.top_logprobs = allocate<float>(outputs[3]);
    out.alternatives = outputs[2].shape(1);
  }
  return out;
}

class Sample : public NativePrimitive {
 public:
  Sample(mx::Stream stream, EnginePtr engine, std::shared_ptr<const SamplingRows> rows)
      : NativePrimitive(stream, std::move(engine)), rows_(std::move(rows)) {}

  const char* name() const override { return "MlxrSample"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const SampledOutputs out = allocate_outputs(outputs);
    auto task = [engine = engine(), rows = rows_, logits = Values(inputs[0]), vocabulary = int64_t{inputs[0].shape(1)},
                 out]() mutable { sample(*engine, logits.get<float>(), vocabulary, *rows, out); };
    mx::cpu::get_command_encoder(this->stream()).dispatch(std::move(task));
  }

 private:
  std::shared_ptr<const SamplingRows> rows_;
};

class TokenLogprobs : public NativePrimitive {
 public:
  using NativePrimitive::NativePrimitive;

  const char* name() const override { return "MlxrTokenLogprobs"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const SampledOutputs out = allocate_outputs(outputs);
    const int64_t rows = inputs[0].shape(0), vocabulary = inputs[0].shape(1);
    auto task = [engine = engine(), logits = Values(inputs[0]), tokens = Values(inputs[1]), rows, vocabulary,
                 out]() mutable {
      token_logprobs(*engine, logits.get<float>(), rows, vocabulary, tokens.get<int32_t>(), out);
    };
    mx::cpu::get_command_encoder(this->stream()).dispatch(std::move(task));
  }
};

/// Output shapes and types of R rows that are sampled, or whose tokens are given.
std::pair<std::vector<mx::Shape>, std::vector<mx::Dtype>> sampled_shapes(int rows, int alternatives) {
  std::vector<mx::Shape> shapes{{rows}};
  std::vector<mx::Dtype> types{mx::int32};
  if (alternatives >= 0) {
    shapes.push_back({rows});
    types.push_back(mx::float32);
  }
  if (alternatives > 0) {
    shapes.insert(shapes.end(), 2, mx::Shape{rows, alternatives});
    types.insert(types.end(), {mx::int32, mx::float32});
  }
  return {shapes, types};
}

void require_logits(const mx::array& logits) {
  require(logits.dtype() == mx::float32 && logits.ndim() == 2 && logits.shape(1) > 0,
          "logits must be float32 [rows, vocabulary]");
}

}  // namespace

class Program {
 public:
  /// An operation that is the same at every step, or what makes it for each step's batch and pool: a program holds
  /// neither.
  struct Part {
    std::shared_ptr<const Operation> operation;
    StepMaker for_steps;
    int ids;
    int64_t out_width;
  };
  std::vector<Part> parts;
  /// From this part on, rows that nobody reads behind the layers may be left out; what of them lies in the workspace.
  size_t last_parts = 0;
  bool kept = false;
  int64_t per_layer = 0;
};

std::shared_ptr<const Operation> due_copies(const PoolPtr& pool) {
  if (pool == nullptr || pool->copies.empty()) return nullptr;
  return std::make_shared<CopyPagesOperation>(pool->pages, std::exchange(pool->copies, {}));
}

mx::array append(const EnginePtr& engine, const std::optional<mx::array>& x, std::shared_ptr<const Operation> operation,
                 const std::optional<mx::array>& ids, int64_t out_rows, int64_t out_width, Fuse fuse,
                 const PoolPtr& pool, AdaptersPtr adapters) {
  require(!x || (x->dtype() == mx::float32 && x->ndim() == 2), "activations must be float32 [rows, width]");
  require(!ids || (ids->dtype() == mx::int32 && ids->ndim() == 1), "tokens and rows must be int32, one-dimensional");
  const FusedOperations* open = x && fuse == Fuse::Yes ? unevaluated_operations(*x, engine) : nullptr;
  std::vector<mx::array> inputs;
  if (open != nullptr) {
    inputs = x->inputs();
  } else if (x) {
    inputs.push_back(*x);
  }
  require(adapters == nullptr || adapters->rows() == out_rows, "there must be adapters, or none, for every row");
  if (adapters == nullptr && open != nullptr) adapters = open->adapters();
  PoolPtr writes = pool;
  if (writes == nullptr && open != nullptr) writes = open->pool();
  FusedOperation fused{std::move(operation), -1, out_rows, out_width};
  const bool has_rows = open != nullptr ? open->has_rows() : x.has_value();
  if (ids) {
    const auto known = std::find_if(inputs.begin() + (has_rows ? 1 : 0), inputs.end(),
                                    [&](const mx::array& input) { return input.id() == ids->id(); });
    fused.ids = static_cast<int>(known - inputs.begin());
    if (known == inputs.end()) inputs.push_back(*ids);
  }
  auto node = std::make_shared<const Node>(Node{open != nullptr ? open->node() : nullptr, std::move(fused)});
  const mx::Shape shape{static_cast<int>(out_rows), static_cast<int>(out_width)};
  auto made = std::make_shared<FusedOperations>(open != nullptr ? x->primitive().stream() : stream(), engine,
                                                std::move(node), has_rows, writes, std::move(adapters));
  mx::array out(shape, mx::float32, std::move(made), std::move(inputs));
  if (writes != nullptr) writes->last_write = out;
  return out;
}

const PerLayerEmbedding* per_layer_embedding(const EnginePtr& engine, const mx::array& x) {
  const FusedOperations* open = unevaluated_operations(x, engine);
  for (const Node* node = open != nullptr ? open->node().get() : nullptr; node != nullptr; node = node->before.get()) {
    const auto* found = dynamic_cast<const PerLayerEmbeddingOperation*>(node->fused.operation.get());
    if (found != nullptr) return &found->embedding();
  }
  return nullptr;
}

std::shared_ptr<const Program> record(const EnginePtr& engine, const mx::array& x) {
  const FusedOperations* made = unevaluated_operations(x, engine);
  if (made == nullptr || made->has_rows() || x.inputs().size() != 1) return nullptr;
  auto program = std::make_shared<Program>();
  for (const FusedOperation& fused : operations_to(made->node().get())) {
    if (dynamic_cast<const CopyPagesOperation*>(fused.operation.get()) != nullptr) continue;
    const Operation* const operation = fused.operation.get();
    program->kept |= dynamic_cast<const KeepOperation*>(operation) != nullptr;
    const auto* per_layer = dynamic_cast<const PerLayerEmbeddingOperation*>(operation);
    if (per_layer != nullptr) program->per_layer = per_layer->embedding().table->cols;
    StepMaker made = fused.operation->for_steps();
    auto kept = made ? nullptr : fused.operation;
    program->parts.push_back({std::move(kept), std::move(made), fused.ids, fused.out_width});
    if (operation->keeps() || fused.ids >= 0) program->last_parts = program->parts.size();
  }
  return program;
}

mx::array replay(const EnginePtr& engine, const Program& program, const mx::array& tokens,
                 const std::shared_ptr<const Batch>& batch, const PoolPtr& pool) {
  require(tokens.dtype() == mx::int32 && tokens.ndim() == 1, "tokens must be int32, one-dimensional");
  require(tokens.shape(0) == batch->tokens(), "tokens and batch differ in length");
  const int64_t rows = batch->tokens();
  const std::shared_ptr<const PagePool> pages = pool != nullptr ? pool->pages : nullptr;
  std::shared_ptr<const Batch> current = batch;
  std::shared_ptr<const Node> node;
  const auto add = [&](std::shared_ptr<const Operation> operation, int ids, int64_t width, int64_t count) {
    node = std::make_shared<const Node>(Node{std::move(node), FusedOperation{std::move(operation), ids, count, width}});
  };
  // Adapters are told of by the step's rows.
  const auto& outputs = batch->outputs();
  const bool fewer = outputs && static_cast<int64_t>(outputs->size()) < rows && batch->adapters() == nullptr &&
                     program.last_parts > 0 && program.last_parts < program.parts.size();
  for (size_t i = 0; i < program.parts.size(); ++i) {
    const Program::Part& part = program.parts[i];
    if (fewer && i == program.last_parts) {
      if (outputs->empty()) break;
      current = batch->of_outputs();
      add(std::make_shared<PickRowsOperation>(*outputs, program.kept, program.per_layer), -1,
          program.parts[i - 1].out_width, current->tokens());
    }
    if (part.operation != nullptr) {
      add(part.operation, part.ids, part.out_width, current->tokens());
      continue;
    }
    if (auto copies = due_copies(pool)) add(std::move(copies), -1, part.out_width, current->tokens());
    add(part.for_steps(current, pages), part.ids, part.out_width, current->tokens());
  }
  if (fewer) add(std::make_shared<PlaceRowsOperation>(*outputs), -1, program.parts.back().out_width, rows);
  const mx::Shape shape{static_cast<int>(rows), static_cast<int>(program.parts.back().out_width)};
  auto made = std::make_shared<FusedOperations>(stream(), engine, std::move(node), false, pool, batch->adapters());
  mx::array out(shape, mx::float32, std::move(made), {tokens});
  if (pool != nullptr) pool->last_write = out;
  return out;
}

std::vector<mx::array> barrier(const EnginePtr& engine, const PoolPtr& pool) {
  if (auto copies = due_copies(pool)) {
    const std::optional<mx::array> before = std::exchange(pool->last_write, {});
    const mx::array copied = append(engine, {}, std::move(copies), {}, 0, 0, Fuse::No);
    return before ? std::vector<mx::array>{*before, copied} : std::vector<mx::array>{copied};
  }
  const std::optional<mx::array> last_write = std::exchange(pool->last_write, {});
  return last_write ? std::vector<mx::array>{*last_write} : std::vector<mx::array>{};
}

std::vector<mx::array> sample_rows(const EnginePtr& engine, const mx::array& logits,
                                   std::shared_ptr<const SamplingRows> rows) {
  require_logits(logits);
  require(logits.shape(0) == rows->rows(), "there must be sampling settings for every row of logits");
  const auto [shapes, types] = sampled_shapes(logits.shape(0), rows->logprobs);
  return mx::array::make_arrays(shapes, types, std::make_shared<Sample>(stream(), engine, std::move(rows)), {logits});
}

std::vector<mx::array> row_logprobs(const EnginePtr& engine, const mx::array& logits, const mx::array& tokens,
                                    int alternatives) {
  require_logits(logits);
  require(tokens.dtype() == mx::int32 && tokens.ndim() == 1 && tokens.shape(0) == logits.shape(0),
          "tokens must be int32, one a row");
  const auto [shapes, types] = sampled_shapes(logits.shape(0), std::max(alternatives, 0));
  return mx::array::make_arrays(shapes, types, std::make_shared<TokenLogprobs>(stream(), engine), {logits, tokens});
}

}  // namespace mlxr
