// The Python module mlxr.metal.cpu._native. Its only user is mlxr.metal.cpu.backend, which documents the operations.

#include <nanobind/nanobind.h>

#include "module/shared.h"

namespace nb = nanobind;

namespace mlxr {

Vector vector_of(const MaybeArray& a) {
  if (!a) return {};
  mx::array dense = mx::contiguous(mx::astype(*a, mx::float32));
  {
    const nb::gil_scoped_release unlocked;
    dense.eval();
  }
  return Vector(dense.data<float>(), dense.data<float>() + dense.size());
}

}  // namespace mlxr

NB_MODULE(_native, m) {
  m.doc() = "mlxr's CPU kernels as MLX primitives";
  nb::module_::import_("mlx.core");
  mlxr::bind_engine(m);
  mlxr::bind_layers(m);
  mlxr::bind_adapters(m);
  mlxr::bind_pools(m);
  mlxr::bind_steps(m);
  mlxr::bind_operations(m);
  mlxr::bind_latent(m);
  mlxr::bind_recurrent(m);
}
