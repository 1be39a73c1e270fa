// The kernels for one instruction set, CADUCEUS_ISA.
#include "kernels.h"

#include "conv_backward.h"
#include "norm.h"
#include "scan_backward.h"
#include "scan_forward.h"

namespace CADUCEUS_ISA {

template <class T>
int64_t scan_groups(const caduceus_scan& a, int64_t most_channels) {
    constexpr int64_t W = WIDTH<T>;
    return group_count(a.batch, ceil_div(a.channels, W), a.threads, most_channels / W, 2);
}

template <class T>
void scan_forward(const caduceus_scan& a) {
    const int64_t groups = scan_groups<T>(a, FORWARD_CHANNELS);
    const int64_t columns = ceil_div(ceil_div(a.channels, WIDTH<T>), groups);
    for_each(a.batch * groups, a.threads, ScanForward<T>::bytes(columns, a.states), [&](int64_t i, void* scratch) {
        const Group group(i % groups, groups, a.channels, WIDTH<T>);
        ScanForward<T>(a, i / groups, group, Arena(scratch)).run();
    });
}

template <class T>
void scan_backward(const caduceus_scan_gradients& g) {
    const caduceus_scan& a = g.scan;
    const int64_t groups = scan_groups<T>(a, BACKWARD_CHANNELS);
    const int64_t columns = ceil_div(ceil_div(a.channels, WIDTH<T>), groups);
    for_each(a.batch * groups, a.threads, ScanBackward<T>::bytes(columns, a.states), [&](int64_t i, void* scratch) {
        const Group group(i % groups, groups, a.channels, WIDTH<T>);
        ScanBackward<T>(g, i / groups, i % groups, group, Arena(scratch)).run();
    });
}

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
};

}  // namespace CADUCEUS_ISA
