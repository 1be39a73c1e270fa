// The kernels for one instruction set, CADUCEUS_ISA.
#include "kernels.h"

#include "conv_backward.h"
#include "limits.h"
#include "mamba_backward.h"
#include "mamba_forward.h"
#include "norm.h"
#include "scan_backward.h"
#include "scan_forward.h"

namespace CADUCEUS_ISA {

extern const caduceus::Kernels kernels = {
    [](const caduceus_scan* a) {
        return a->wide ? scan_groups<double>(*a, BACKWARD_CHANNELS) : scan_groups<float>(*a, BACKWARD_CHANNELS);
    },
    [](const caduceus_scan* a) { a->wide ? scan_forward<double>(*a) : scan_forward<float>(*a); },
    [](const caduceus_scan_gradients* g) { g->scan.wide ? scan_backward<double>(*g) : scan_backward<float>(*g); },
    [](const caduceus_conv* a) { a->wide ? conv_forward<double>(*a) : conv_forward<float>(*a); },
    [](const caduceus_conv_gradients* g) { g->conv.wide ? conv_backward<double>(*g) : conv_backward<float>(*g); },
    [](const caduceus_norm* a) { a->wide ? norm_forward<double>(*a) : norm_forward<float>(*a); },
    [](const caduceus_norm_gradients* g) { g->norm.wide ? norm_backward<double>(*g) : norm_backward<float>(*g); },
    [](const caduceus_mamba* a) { a->wide ? mamba_forward<double>(*a) : mamba_forward<float>(*a); },
    [](const caduceus_mamba_gradients* g) { g->mamba.wide ? mamba_backward<double>(*g) : mamba_backward<float>(*g); },
    limit,
};

}  // namespace CADUCEUS_ISA
