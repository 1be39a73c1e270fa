// The convolution backward, from the last step to the first:
//
//     dp_i = dy_i silu'(p_i), or dy_i      dweight_k = sum_i dp_i x_{i-K+1+k}      dbias = sum_i dp_i
//     dx_i = sum_j weight_{K-1-j} dp_{i+j}, and for the last K - 1 steps what the returned state adds
#pragma once

#include "conv.h"

namespace CADUCEUS_ISA {

template <class T, int TAPS>
class ConvBackward {
    using V = Vec<T>;
    static constexpr int W = WIDTH<T>;

    const caduceus_conv_gradients& grads;
    const caduceus_conv& a;
    const ConvRows<T, TAPS> conv;
    const Steps steps;
    const int64_t index, K, width;
    T *dp, *dlast, *dstate;  // (K, width): dp_i is row i mod K; (K - 1, width) each
    Sums<T> sums;            // (K + 1, width): of the taps, then of the bias
    Window<T, TAPS> window;

  public:
    ConvBackward(const caduceus_conv_gradients& gradients, const ConvWeights<T>& weights, int64_t b, Steps chunk,
                 int64_t part, Arena arena)
        : grads(gradients), a(gradients.conv), conv(a, weights, b, arena), steps(chunk), index(part), K(a.taps),
          width(conv.width), sums(arena, (K + 1) * width), window(arena, K) {
        take(arena, K * width, dp);
        take(arena, (K - 1) * width, dlast, dstate);
        const T* from = static_cast<const T*>(grads.dlast);
        if (from == nullptr) memset(dlast, 0, size_t((K - 1) * width) * sizeof(T));
        else weights.transpose(from + b * a.channels * (K - 1), dlast, K - 1);
    }

    static size_t bytes(int64_t channels, int64_t taps) {
        const int64_t width = ConvWeights<T>::padded(channels);
        return ConvRows<T, TAPS>::bytes(channels, taps) + Sums<T>::bytes((taps + 1) * width) +
               Arena::bytes<T>(taps * width) + 2 * Arena::bytes<T>((taps - 1) * width) +
               Window<T, TAPS>::bytes(taps);
    }

    void run() {
        const int64_t first = steps.first == 0 && grads.dstate != nullptr ? 1 - K : steps.first;
        for (int64_t i = steps.last + K - 2; i >= first; i--) {
            if (0 <= i && i < a.length) {
                output_adjoint(i);
            } else {
                memset(dp_row(i), 0, size_t(width) * sizeof(T));
            }
            if (i < steps.last) input_adjoint(i);
            if (i % 64 == 0) sums.fold();
        }
        sums.fold();
        write(static_cast<T*>(grads.dweight), sums.total, index, K);
        write(static_cast<T*>(grads.dbias), sums.total + K * width, index, 1);
        if (steps.first == 0) write(static_cast<T*>(grads.dstate), dstate, conv.b, K - 1);
    }

  private:
    T* dp_row(int64_t i) const { return dp + (i + K) % K * width; }
    T* dx_row(int64_t i) const { return Rows<T>(grads.dx).at(conv.b, position(i, a.length, a.reverse)); }

    // dp_i, and its terms of the sums unless the step is the next chunk's.
    void output_adjoint(int64_t i) {
        conv.read(i, window);
        const T* dy = Rows<const T>(grads.dy).at(conv.b, position(i, a.length, a.reverse));
        const bool silu = a.silu, own = i < steps.last;
        const int64_t taps = conv.count(a), stride = width;
        T *to = dp_row(i), *parts = sums.part;
        each_column<W>(a.channels, [=, inputs = window, layer = conv](int64_t c, int64_t lanes) {
            V g = load(dy + c * W, lanes);
            if (silu) {
                const V p = layer.sum(inputs, c, lanes), sig = sigmoid(p);
                g = g * (sig * fma(p, 1 - sig, V{} + 1));
            }
            store(to + c * W, g);
            if (!own) return;
            T* sum = parts + c * W;
            for (int64_t k = 0; k < taps; k++)
                store(sum + k * stride, fma(g, load(inputs.row[k] + c * W, lanes), load(sum + k * stride)));
            store(sum + taps * stride, load(sum + taps * stride) + g);
        });
    }

    // dx_i; for i < 0, that of the state.
    void input_adjoint(int64_t i) {
        const bool add = grads.accumulate && i >= 0;
        if (i >= 0 && !conv.valid(i)) {
            if (!add) memset(dx_row(i), 0, size_t(a.channels) * sizeof(T));
            return;
        }
        const int64_t taps = conv.count(a), stride = width, kept = i - (a.length - taps + 1);
        for (int64_t j = 0; j < taps; j++) window.row[j] = dp_row(i + j);
        const T *more = kept >= 0 ? dlast + kept * width : conv.weights.zeros, *weights = conv.taps;
        T* to = i >= 0 ? dx_row(i) : dstate + (taps - 1 + i) * width;
        each_column<W>(a.channels, [=, outputs = window](int64_t c, int64_t lanes) {
            V total = load(more + c * W);
            if (add) total = total + load(to + c * W, lanes);
            for (int64_t j = 0; j < taps; j++)
                total = fma(load(weights + (taps - 1 - j) * stride + c * W), load(outputs.row[j] + c * W), total);
            store(to + c * W, total, lanes);
        });
    }

    // (count, width) to item `part` of (parts, channels, count).
    void write(T* to, const T* from, int64_t part, int64_t count) const {
        if (to == nullptr) return;
        to += part * a.channels * count;
        for (int64_t e = 0; e < a.channels; e++)
            for (int64_t k = 0; k < count; k++) to[e * count + k] = from[k * width + e];
    }
};

template <class T>
size_t conv_chunk_backward_bytes(const caduceus_conv& a) {
    return ConvBackward<T, 0>::bytes(a.channels, a.taps);
}

// The sums over the chunk go to item `part` of the partial sums.
template <class T>
void conv_chunk_backward(const caduceus_conv_gradients& g, const ConvWeights<T>& weights, int64_t b, Steps steps,
                         int64_t part, Arena arena) {
    if (g.conv.taps == 4) return ConvBackward<T, 4>(g, weights, b, steps, part, arena).run();
    ConvBackward<T, 0>(g, weights, b, steps, part, arena).run();
}

template <class T>
void conv_backward(const caduceus_conv_gradients& g) {
    const caduceus_conv& a = g.conv;
    const caduceus::Workspace memory(ConvWeights<T>::bytes(a.channels, a.taps));
    Arena arena(memory.data);
    const ConvWeights<T> weights(a, arena);
    for_each(a.batch * g.chunks, a.threads, conv_chunk_backward_bytes<T>(a), [&](int64_t i, void* scratch) {
        const Steps steps(i % g.chunks, g.chunks, a.length);
        conv_chunk_backward<T>(g, weights, i / g.chunks, steps, i, Arena(scratch));
    });
}

}  // namespace CADUCEUS_ISA
