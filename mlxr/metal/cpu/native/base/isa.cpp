#include "base/isa.h"

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace mlxr {
namespace {

#if defined(__x86_64__)
// __builtin_cpu_supports also asks the operating system whether it saves the wide registers.
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}

// The CPU's tiles, and the kernel's leave to use them: it makes room for their 8 KiB in a thread's state only when
// asked.
bool has_tiles() {
#ifdef __linux__
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  static const bool granted =
      __builtin_cpu_supports("amx-int8") && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
#else
  return false;
#endif
}
#endif

#if defined(__aarch64__)
bool has_dot_product() {
#ifdef __linux__
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  return true;  // every Apple processor that runs macOS
#endif
}

bool has_byte_matrices() {
#if defined(__linux__)
  return has_dot_product() && (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
#elif defined(__APPLE__)
  int has = 0;
  size_t size = sizeof(has);
  return sysctlbyname("hw.optional.arm.FEAT_I8MM", &has, &size, nullptr, 0) == 0 && has != 0;
#else
  return false;
#endif
}
#endif

}  // namespace

std::string_view name(Isa isa) {
  switch (isa) {
    case Isa::Avx2: return "avx2";
    case Isa::Avx512: return "avx512";
    case Isa::Amx: return "amx";
    case Isa::Neon: return "neon";
    case Isa::I8mm: return "i8mm";
    default: return "portable";
  }
}

std::vector<Isa> usable_isas() {
  std::vector<Isa> isas;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (has_avx512() && has_tiles()) isas.push_back(Isa::Amx);
  if (has_avx512()) isas.push_back(Isa::Avx512);
  if (has_avx2()) isas.push_back(Isa::Avx2);
#elif defined(__aarch64__)
  if (has_byte_matrices()) isas.push_back(Isa::I8mm);
  if (has_dot_product()) isas.push_back(Isa::Neon);
#endif
  isas.push_back(Isa::Portable);
  return isas;
}

}  // namespace mlxr
