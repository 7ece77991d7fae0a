// What kernels use of the Metal Shading Language, for a host's compiler.
#pragma once

#include "atomics.h"

#define __METAL_VERSION__ 320
#define INFINITY (__builtin_inff())

#define device
#define constant
#define thread
#define threadgroup
#define coherent(scope)

using namespace metal;
