// The AMX kernels over emulated instructions; they take the place of the real ones in matmul_test_emulated.
#include "test/kernels/emulated_avx512.h"
// before the kernels
#include "kernels/matmul_amx.cpp"
