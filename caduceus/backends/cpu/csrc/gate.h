// The gate of one position: gated = y silu(z), and
//
//     dy = dgated silu(z)         dz = dgated y silu'(z)
#pragma once

#include "functions.h"
#include "task.h"

namespace CADUCEUS_ISA {

template <class T>
void gate_row(int64_t channels, const T* y, const T* z, T* gated) {
    constexpr int W = WIDTH<T>;
    each_column<W>(channels, [=](int64_t c, int64_t lanes) {
        const Vec<T> x = load(z + c * W, lanes);
        store(gated + c * W, load(y + c * W, lanes) * (x * sigmoid(x)), lanes);
    });
}

template <class T>
void gate_row_backward(int64_t channels, const T* y, const T* z, const T* dgated, T* gated, T* dy, T* dz) {
    constexpr int W = WIDTH<T>;
    each_column<W>(channels, [=](int64_t c, int64_t lanes) {
        const Vec<T> g = load(dgated + c * W, lanes), v = load(y + c * W, lanes), x = load(z + c * W, lanes);
        const Vec<T> sig = sigmoid(x), silu = x * sig;
        store(gated + c * W, v * silu, lanes);
        store(dy + c * W, g * silu, lanes);
        store(dz + c * W, g * v * fma(silu, 1 - sig, sig), lanes);
    });
}

}  // namespace CADUCEUS_ISA
