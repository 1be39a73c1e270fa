// The exported functions: each call goes to the kernels of the instruction set that it names.
#include "kernels.h"
#include "constants.h"
#include "parallel.h"

#define EXPORT __attribute__((visibility("default")))

namespace {

struct Target {
    const char* name;
    const caduceus::Kernels* kernels;
    bool (*runs)();
};

#if defined(__x86_64__)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() { return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"); }
#endif

const Target targets[] = {
#if defined(__x86_64__)
    {"avx512", &avx512::kernels, has_avx512},
    {"avx2", &avx2::kernels, has_avx2},
#endif
    {"portable", &portable::kernels, [] { return true; }},
};

// What the kernels return by the interface; they themselves throw.
template <class A>
int64_t lacking(void (*kernel)(const A*), const A* arguments) {
    try {
        kernel(arguments);
    } catch (const caduceus::OutOfMemory& error) {
        return int64_t(error.bytes);
    }
    return 0;
}

}  // namespace

extern "C" {

EXPORT int caduceus_abi(void) { return CADUCEUS_ABI; }
EXPORT int caduceus_targets(void) { return sizeof targets / sizeof targets[0]; }
EXPORT const char* caduceus_target_name(int target) { return targets[target].name; }
EXPORT int caduceus_target_runs(int target) { return targets[target].runs(); }

EXPORT int caduceus_openmp(void) {
#if defined(_OPENMP)
    return 1;
#else
    return 0;
#endif
}

EXPORT int64_t caduceus_scan_tile(void) { return caduceus::SCAN_TILE; }
EXPORT int64_t caduceus_most_taps(void) { return caduceus::STAGE_ROWS + 1; }
EXPORT int64_t caduceus_scan_groups(int target, const caduceus_scan* a) {
    return targets[target].kernels->scan_groups(a);
}

EXPORT int64_t caduceus_scan_forward(int target, const caduceus_scan* a) {
    return lacking(targets[target].kernels->scan_forward, a);
}
EXPORT int64_t caduceus_scan_backward(int target, const caduceus_scan_gradients* a) {
    return lacking(targets[target].kernels->scan_backward, a);
}
EXPORT int64_t caduceus_conv_forward(int target, const caduceus_conv* a) {
    return lacking(targets[target].kernels->conv_forward, a);
}
EXPORT int64_t caduceus_conv_backward(int target, const caduceus_conv_gradients* a) {
    return lacking(targets[target].kernels->conv_backward, a);
}
EXPORT int64_t caduceus_norm_forward(int target, const caduceus_norm* a) {
    return lacking(targets[target].kernels->norm_forward, a);
}
EXPORT int64_t caduceus_norm_backward(int target, const caduceus_norm_gradients* a) {
    return lacking(targets[target].kernels->norm_backward, a);
}
EXPORT int64_t caduceus_mamba_forward(int target, const caduceus_mamba* a) {
    return lacking(targets[target].kernels->mamba_forward, a);
}
EXPORT int64_t caduceus_mamba_backward(int target, const caduceus_mamba_gradients* a) {
    return lacking(targets[target].kernels->mamba_backward, a);
}

EXPORT double caduceus_limit(int target, int which, int threads, int64_t bytes, double seconds) {
    try {
        return targets[target].kernels->limit(which, threads, bytes, seconds);
    } catch (const caduceus::OutOfMemory&) {
        return 0;
    }
}
}
