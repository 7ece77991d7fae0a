#include "ops/operation.h"

#include <algorithm>

namespace mlxr {

void Context::prepare_adapters(const LowRankProducts::Places& places, int64_t rows) const {
  if (adapters == nullptr || places[0] < 0) return;
  workspace.reserve_floats(Buffer::LowRank, rows * adapters->prepare(places).stride());
}

void Engine::run(const std::vector<FusedOperation>& operations, const float* x, int64_t rows, int64_t width,
                 const std::vector<const int32_t*>& ids, float* out, const AdapterRows* adapters) {
  workspace_.tidy();
  const Context context{kernels_, workspace_, isa_, pool_.size(), adapters};
  int64_t largest = 0;
  for (const FusedOperation& fused : operations) largest = std::max(largest, fused.out_rows * fused.out_width);
  if (operations.size() > 1) {
    workspace_.reserve_floats(Buffer::Rows, largest);
    workspace_.reserve_floats(Buffer::OtherRows, largest);
  }
  std::vector<Operands> operands;
  operands.reserve(operations.size());
  const float* in = x;
  for (size_t i = 0; i < operations.size(); ++i) {
    const FusedOperation& fused = operations[i];
    float* to = out;
    if (i + 1 < operations.size()) {
      float* const first = workspace_.at(Buffer::Rows);
      const bool stays = in == first ? fused.operation->in_place() : false;
      to = in != first || stays ? first : workspace_.at(Buffer::OtherRows);
    }
    const int32_t* chosen = fused.ids < 0 ? nullptr : ids[static_cast<size_t>(fused.ids)];
    operands.push_back({in, chosen, to, rows, width, fused.out_rows, fused.out_width});
    fused.operation->prepare(context, operands.back());
    in = to;
    rows = fused.out_rows;
    width = fused.out_width;
  }
  pool_.parallel([&](Team& team) {
    for (size_t i = 0; i < operations.size(); ++i) {
      operations[i].operation->run(team, context, operands[i]);
      team.barrier();
    }
  });
}

}  // namespace mlxr
