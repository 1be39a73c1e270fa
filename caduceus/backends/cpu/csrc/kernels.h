// The entry points of the kernels for one instruction set.
#pragma once

#include "abi.h"

namespace caduceus {

struct Kernels {
    int64_t (*scan_groups)(const caduceus_scan*);
    void (*scan_forward)(const caduceus_scan*);
    void (*scan_backward)(const caduceus_scan_gradients*);
    void (*conv_forward)(const caduceus_conv*);
    void (*conv_backward)(const caduceus_conv_gradients*);
    void (*norm_forward)(const caduceus_norm*);
    void (*norm_backward)(const caduceus_norm_gradients*);
    void (*mamba_forward)(const caduceus_mamba*);
    void (*mamba_backward)(const caduceus_mamba_gradients*);
    double (*limit)(int, int, int64_t, double);
};

}  // namespace caduceus

namespace portable {
extern const caduceus::Kernels kernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const caduceus::Kernels kernels;
}
namespace avx512 {
extern const caduceus::Kernels kernels;
}
#endif
