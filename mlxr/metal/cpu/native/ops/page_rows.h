// How one head's key and value of a token are laid in a page.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"
#include "ops/page_pool.h"

namespace mlxr {

/// A head's key of the token at `offset` of its page; `keys`: that head's in the page.
void store_key(const KernelTable& kernels, const PageShape& shape, const float* key, int offset, uint8_t* keys);

/// Likewise its value, whose numbers are used up.
void store_value(const KernelTable& kernels, const PageShape& shape, float* value, int offset, uint8_t* values);

}  // namespace mlxr
