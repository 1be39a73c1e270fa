// Add to the residual stream, then norm over the channels of a row h = x + residual:
//
//     rms:   n = h / sqrt(mean(h^2) + eps)            layer:   n = (h - mean(h)) / sqrt(var(h) + eps)
//     normed = n weight + bias
//
// Backward, with g = dnormed weight and r the reciprocal of the root:
//
//     dh = r (g - [layer: mean(g)] - n mean(g n)) + dtotal      dweight = sum dnormed n      dbias = sum dnormed
#pragma once

#include <math.h>

#include "task.h"

namespace CADUCEUS_ISA {

template <class T>
struct RowStatistics {
    T mean, scale;

    RowStatistics(const T* h, const caduceus_norm& a) : mean(0) {
        constexpr int W = WIDTH<T>;
        Vec<T> total{}, squares{};
        if (a.centred) {
            each_column<W>(a.channels, [&](int64_t c, int64_t count) { total = total + load(h + c * W, count); });
            mean = sum<T>(total) / T(a.channels);
        }
        each_column<W>(a.channels, [&](int64_t c, int64_t count) {
            const Vec<T> v = keep<T>(load(h + c * W, count) - mean, count);
            squares = fma(v, v, squares);
        });
        scale = T(1) / sqrt(sum<T>(squares) / T(a.channels) + T(a.eps));
    }
};

template <class T>
void norm_row(const caduceus_norm& a, int64_t row) {
    constexpr int W = WIDTH<T>;
    const T *x = static_cast<const T*>(a.x) + row * a.channels, *h = x;
    if (a.residual != nullptr) {
        const T* residual = static_cast<const T*>(a.residual) + row * a.channels;
        T* total = static_cast<T*>(a.total) + row * a.channels;
        each_column<W>(a.channels, [=](int64_t c, int64_t count) {
            store(total + c * W, load(x + c * W, count) + load(residual + c * W, count), count);
        });
        h = total;
    }
    const RowStatistics<T> row_statistics(h, a);
    const T mean = row_statistics.mean, scale = row_statistics.scale;
    const T *weight = static_cast<const T*>(a.weight), *bias = static_cast<const T*>(a.bias);
    T* normed = static_cast<T*>(a.normed) + row * a.channels;
    each_column<W>(a.channels, [=](int64_t c, int64_t count) {
        const Vec<T> n = (load(h + c * W, count) - mean) * scale * load(weight + c * W, count);
        store(normed + c * W, bias == nullptr ? n : n + load(bias + c * W, count), count);
    });
}

template <class T>
void norm_forward(const caduceus_norm& a) {
    const int64_t rows = 64;
    for_each(ceil_div(a.rows, rows), a.threads, 0, [&](int64_t i, void*) {
        for (int64_t row = i * rows; row < smaller(a.rows, (i + 1) * rows); row++) norm_row<T>(a, row);
    });
}

template <class T>
void norm_row_backward(const caduceus_norm_gradients& g, int64_t row, T* dweight, T* dbias) {
    constexpr int W = WIDTH<T>;
    using V = Vec<T>;
    const caduceus_norm& a = g.norm;
    const int64_t at = row * a.channels;
    const T *h = static_cast<const T*>(a.x) + at, *dnormed = static_cast<const T*>(g.dnormed) + at;
    const T *weight = static_cast<const T*>(a.weight), *dtotal = static_cast<const T*>(g.dtotal);
    if (dtotal != nullptr) dtotal += at;
    const RowStatistics<T> row_statistics(h, a);
    const T mean = row_statistics.mean, scale = row_statistics.scale;
    V sum_g{}, sum_gn{};
    each_column<W>(a.channels, [&](int64_t c, int64_t count) {
        const V d = load(dnormed + c * W, count), n = (load(h + c * W, count) - mean) * scale;
        const V by_weight = d * load(weight + c * W, count);
        sum_g = sum_g + by_weight;
        sum_gn = fma(by_weight, n, sum_gn);
        store(dweight + c * W, fma(d, n, load(dweight + c * W)));
        store(dbias + c * W, load(dbias + c * W) + d);
    });
    const T mean_g = a.centred ? sum<T>(sum_g) / T(a.channels) : T(0), mean_gn = sum<T>(sum_gn) / T(a.channels);
    T* dx = static_cast<T*>(g.dx) + at;
    each_column<W>(a.channels, [=](int64_t c, int64_t count) {
        const V n = (load(h + c * W, count) - mean) * scale;
        V dh = (load(dnormed + c * W, count) * load(weight + c * W, count) - mean_g - n * mean_gn) * scale;
        if (dtotal != nullptr) dh = dh + load(dtotal + c * W, count);
        store(dx + c * W, dh, count);
    });
}

template <class T>
void norm_backward(const caduceus_norm_gradients& g) {
    const caduceus_norm& a = g.norm;
    if (a.channels == 0) return;
    const int64_t width = ceil_div(a.channels, WIDTH<T>) * WIDTH<T>;
    for_each(g.parts, a.threads, Sums<T>::bytes(2 * width), [&](int64_t i, void* scratch) {
        Arena arena(scratch);
        Sums<T> sums(arena, 2 * width);
        for (int64_t row = a.rows * i / g.parts; row < a.rows * (i + 1) / g.parts; row++) {
            norm_row_backward<T>(g, row, sums.part, sums.part + width);
            if (row % 64 == 0) sums.fold();
        }
        sums.fold();
        const size_t size = size_t(a.channels) * sizeof(T);
        memcpy(static_cast<T*>(g.dweight) + i * a.channels, sums.total, size);
        if (g.dbias != nullptr) memcpy(static_cast<T*>(g.dbias) + i * a.channels, sums.total + width, size);
    });
}

}  // namespace CADUCEUS_ISA
