// Causal depthwise convolution with SiLU, in walking order:
//
//     p_i = bias + sum_k weight_k x_{i-K+1+k}        y_i = silu(p_i), or p_i
//
// Row by row: K rows of inputs make one of outputs. Inputs before the first step are rows of the state, masked ones a
// row of zeros, so that no value at a masked position is read. A task is a run of steps; it starts from its neighbour's
// rows, so the cut changes no value.
#pragma once

#include "functions.h"
#include "task.h"

namespace CADUCEUS_ISA {

// Rows to read together, one for each tap. TAPS is their number if known to the compiler, 0 otherwise.
template <class T, int TAPS>
struct Window {
    const T* row[TAPS];
    Window(Arena&, int64_t) {}
    static size_t bytes(int64_t) { return 0; }
};

template <class T>
struct Window<T, 0> {
    const T** row;
    Window(Arena& arena, int64_t taps) { take(arena, taps, row); }
    static size_t bytes(int64_t taps) { return Arena::bytes<const T*>(taps); }
};

// Taps and bias by columns, packed once a call.
template <class T>
struct ConvWeights {
    const int64_t channels, width;  // width: channels rounded up to whole columns
    T *taps, *bias, *zeros;         // (K, width), (width), (width)

    ConvWeights(const caduceus_conv& a, Arena& arena) : channels(a.channels), width(padded(channels)) {
        take(arena, a.taps * width, taps);
        take(arena, width, bias, zeros);
        transpose(static_cast<const T*>(a.weight), taps, a.taps);
        memset(zeros, 0, size_t(width) * sizeof(T));
        if (a.bias == nullptr) memcpy(bias, zeros, size_t(width) * sizeof(T));
        else transpose(static_cast<const T*>(a.bias), bias, 1);
    }

    static int64_t padded(int64_t channels) { return ceil_div(channels, WIDTH<T>) * WIDTH<T>; }
    static size_t bytes(int64_t channels, int64_t taps) {
        return Arena::bytes<T>(taps * padded(channels)) + 2 * Arena::bytes<T>(padded(channels));
    }

    // From (channels, count) of the caller to (count, width).
    void transpose(const T* from, T* to, int64_t count) const {
        memset(to, 0, size_t(count * width) * sizeof(T));
        for (int64_t e = 0; e < channels; e++)
            for (int64_t k = 0; k < count; k++) to[k * width + e] = from[e * count + k];
    }
};

// What both ways need: where the input of each step is. TAPS as in `Window`.
template <class T, int TAPS>
struct ConvRows {
    using V = Vec<T>;
    static constexpr int W = WIDTH<T>;

    const caduceus_conv& a;
    const ConvWeights<T>& weights;
    const Rows<const T> x;
    const Rows<const uint8_t> mask;
    const int64_t b, width;
    const T *taps, *bias;  // copies of those of `weights`: a compiler can keep them in registers
    T* before;             // (K - 1, width): the state

    ConvRows(const caduceus_conv& conv, const ConvWeights<T>& packed, int64_t batch_row, Arena& arena)
        : a(conv), weights(packed), x(conv.x), mask(conv.mask), b(batch_row), width(packed.width),
          taps(packed.taps), bias(packed.bias) {
        const int64_t past = count(a) - 1;
        take(arena, past * width, before);
        if (a.state == nullptr) memset(before, 0, size_t(past * width) * sizeof(T));
        else weights.transpose(static_cast<const T*>(a.state) + b * a.channels * past, before, past);
    }

    static int64_t count(const caduceus_conv& a) { return TAPS != 0 ? TAPS : a.taps; }
    static size_t bytes(int64_t channels, int64_t taps) {
        return Arena::bytes<T>((taps - 1) * ConvWeights<T>::padded(channels));
    }

    bool valid(int64_t i) const { return !mask || *mask.at(b, position(i, a.length, a.reverse)) != 0; }

    // The input at step i >= 1 - K of the walk; zeros after its end.
    const T* input(int64_t i) const {
        if (i < 0) return before + (count(a) - 1 + i) * width;
        if (i >= a.length || !valid(i)) return weights.zeros;
        return x.at(b, position(i, a.length, a.reverse));
    }

    void read(int64_t i, Window<T, TAPS>& window) const {
        const int64_t K = count(a);
        for (int64_t k = 0; k < K; k++) window.row[k] = input(i - K + 1 + k);
    }

    // p_i of one column, `window` holding its K inputs.
    V sum(const Window<T, TAPS>& window, int64_t c, int64_t lanes) const {
        const int64_t K = count(a);
        V p = load(bias + c * W);
        for (int64_t k = 0; k < K; k++) p = fma(load(taps + k * width + c * W), load(window.row[k] + c * W, lanes), p);
        return p;
    }
};

// Steps [first, last) of chunk `index`.
struct Steps {
    int64_t first, last;
    Steps(int64_t from, int64_t to) : first(from), last(to) {}
    Steps(int64_t index, int64_t chunks, int64_t length)
        : Steps(length * index / chunks, length * (index + 1) / chunks) {}
};

template <class T, int TAPS>
void conv_chunk(const caduceus_conv& a, const ConvWeights<T>& weights, int64_t b, Steps steps, Arena arena) {
    const ConvRows<T, TAPS> conv(a, weights, b, arena);
    Window<T, TAPS> window(arena, a.taps);
    const bool silu = a.silu;
    for (int64_t i = steps.first; i < steps.last; i++) {
        conv.read(i, window);
        T* y = Rows<T>(a.y).at(b, position(i, a.length, a.reverse));
        each_column<WIDTH<T>>(a.channels, [=](int64_t c, int64_t lanes) {
            const Vec<T> p = conv.sum(window, c, lanes);
            store(y + c * WIDTH<T>, silu ? p * sigmoid(p) : p, lanes);
        });
    }
    T* last = static_cast<T*>(a.last);
    if (last == nullptr || steps.last != a.length) return;
    last += b * a.channels * (a.taps - 1);
    for (int64_t k = 0; k < a.taps - 1; k++) {
        const T* row = conv.input(a.length - a.taps + 1 + k);
        for (int64_t e = 0; e < a.channels; e++) last[e * (a.taps - 1) + k] = row[e];
    }
}

template <class T>
size_t conv_chunk_bytes(const caduceus_conv& a) {
    return ConvRows<T, 0>::bytes(a.channels, a.taps) + Window<T, 0>::bytes(a.taps);
}

template <class T>
void conv_chunk(const caduceus_conv& a, const ConvWeights<T>& weights, int64_t b, Steps steps, Arena arena) {
    a.taps == 4 ? conv_chunk<T, 4>(a, weights, b, steps, arena) : conv_chunk<T, 0>(a, weights, b, steps, arena);
}

template <class T>
void conv_forward(const caduceus_conv& a) {
    const caduceus::Workspace memory(ConvWeights<T>::bytes(a.channels, a.taps));
    Arena arena(memory.data);
    const ConvWeights<T> weights(a, arena);
    const int64_t chunks = larger(1, smaller(ceil_div(a.threads, larger(1, a.batch)), a.length / 64));
    for_each(a.batch * chunks, a.threads, conv_chunk_bytes<T>(a), [&](int64_t i, void* scratch) {
        conv_chunk<T>(a, weights, i / chunks, Steps(i % chunks, chunks, a.length), Arena(scratch));
    });
}

}  // namespace CADUCEUS_ISA
