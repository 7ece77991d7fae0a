#include "ops/operation.h"

#include <algorithm>

namespace mlxr {

void Engine::run(const std::vector<Link>& links, const float* x, int64_t rows, int64_t width,
                 const std::vector<const int32_t*>& ids, float* out) {
  workspace_.tidy();
  const Tools tools{kernels_, workspace_, isa_, pool_.size()};
  int64_t largest = 0;
  for (const Link& link : links) largest = std::max(largest, link.out_rows * link.out_width);
  if (links.size() > 1) {
    workspace_.reserve_floats(Slot::Rows, largest);
    workspace_.reserve_floats(Slot::OtherRows, largest);
  }
  std::vector<Stage> stages;
  stages.reserve(links.size());
  const float* in = x;
  for (size_t i = 0; i < links.size(); ++i) {
    const Link& link = links[i];
    float* to = out;
    if (i + 1 < links.size()) {
      float* const first = workspace_.at(Slot::Rows);
      const bool stays = in == first ? link.operation->in_place() : false;
      to = in != first || stays ? first : workspace_.at(Slot::OtherRows);
    }
    const int32_t* chosen = link.ids < 0 ? nullptr : ids[static_cast<size_t>(link.ids)];
    stages.push_back({in, chosen, to, rows, width, link.out_rows, link.out_width});
    link.operation->prepare(tools, stages.back());
    in = to;
    rows = link.out_rows;
    width = link.out_width;
  }
  pool_.parallel([&](Team& team) {
    for (size_t i = 0; i < links.size(); ++i) {
      links[i].operation->run(team, tools, stages[i]);
      team.barrier();
    }
  });
}

}  // namespace mlxr
