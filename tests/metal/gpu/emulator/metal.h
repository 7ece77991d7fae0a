// What kernels use of the Metal Shading Language, for a host's compiler.
#pragma once

#include "simdgroups.h"

#define __METAL_VERSION__ 320

#define device
#define constant
#define thread
#define threadgroup

using namespace metal;
