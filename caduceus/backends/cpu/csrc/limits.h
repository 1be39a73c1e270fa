// What this processor does at most, measured: multiply-adds and exponentials in registers, traffic to memory. A benchmark
// sets its times beside these.
//
// Every thread repeats a pass of about a tenth of a millisecond and times each by itself; what counts is the sum over
// the threads of the rate of their median pass. Other work on the machine takes a thread away for many passes' time but
// in few of them, so that the median hardly sees it.
#pragma once

#include <stdlib.h>

#include <algorithm>
#include <chrono>

#include "functions.h"
#include "task.h"

namespace CADUCEUS_ISA {

// Makes the compiler believe that v is looked at.
inline void observe(const VF& v) { asm volatile("" : : "m"(v)); }

struct Array {
    float* const data;
    explicit Array(int64_t floats) : data(static_cast<float*>(aligned_alloc(64, size_t(floats) * sizeof(float)))) {}
    ~Array() { free(data); }
    Array(const Array&) = delete;
};

constexpr int64_t MOST_PASSES = 1 << 16;

// pass(thread, n) is the n-th pass of a thread, `units` of work. Plain arrays: a linker merges what templates of the
// library are compiled to for several instruction sets.
template <class F>
double rate_of(int threads, double seconds, double units, const F& pass) {
    using clock = std::chrono::steady_clock;
    const auto until = clock::now() + std::chrono::duration<double>(seconds);
    const caduceus::Workspace memory(size_t(threads) * sizeof(double));
    double* rates = static_cast<double*>(memory.data);
    for_each(threads, threads, MOST_PASSES * sizeof(double), [&](int64_t thread, void* scratch) {
        double* times = static_cast<double*>(scratch);
        int64_t count = 0;
        auto before = clock::now();
        do {
            pass(thread, count);
            const auto now = clock::now();
            times[count++] = std::chrono::duration<double>(now - before).count();
            before = now;
        } while (before < until && count < MOST_PASSES);
        std::nth_element(times, times + count / 2, times + count);
        rates[thread] = units / times[count / 2];
    });
    double total = 0;
    for (int i = 0; i < threads; i++) total += rates[i];
    return total;
}

// Twelve chains hide the latency and still leave registers for the factors.
inline double fma_rate(int threads, double seconds) {
    constexpr int K = 12, STEPS = 1 << 16;
    return rate_of(threads, seconds, 2.0 * K * WIDTH<float> * STEPS, [](int64_t, int64_t) {
        volatile float factor = 0.999f, addend = 0.001f;  // not read again from memory in every step
        const VF a = broadcast<float>(factor), b = broadcast<float>(addend);
        VF x[K];
        UNROLL for (int i = 0; i < K; i++) x[i] = broadcast(float(i));
        for (int s = 0; s < STEPS; s++) UNROLL for (int i = 0; i < K; i++) x[i] = fma(x[i], a, b);
        UNROLL for (int i = 0; i < K; i++) observe(x[i]);
    });
}

// The exponential of the scan, as many side by side as there.
inline double exp_rate(int threads, double seconds) {
    constexpr int W = WIDTH<float>, K = 2, VECTORS = 32, STEPS = 1 << 11;
    return rate_of(threads, seconds, double(W) * VECTORS * STEPS, [](int64_t, int64_t) {
        using I = Lanes<float>::I;
        float y[VECTORS * W];
        for (int i = 0; i < VECTORS * W; i++) y[i] = -float(i) / (VECTORS * W);
        VF x = broadcast(8.0f), out[K];
        I seen[K] = {};
        for (int s = 0; s < STEPS; s++) {
            for (int i = 0; i < VECTORS; i += K) {
                exp2_products<false>(x, y + i * W, out);
                UNROLL for (int k = 0; k < K; k++) seen[k] ^= (I)out[k];
            }
            x = x * 0.9999f;
        }
        UNROLL for (int k = 0; k < K; k++) observe((VF)seen[k]);
    });
}

// Bytes a second of a = b + s c, counting three streams, or of reading one array; `bytes` is what the arrays hold. A pass
// is the next block of a thread's own part.
inline double memory_rate(bool triad, int threads, int64_t bytes, double seconds) {
    constexpr int W = WIDTH<float>, K = 4;
    constexpr int64_t BLOCK = 1 << 16;
    const int64_t arrays = triad ? 3 : 1, floats = bytes / int64_t(sizeof(float));
    const int64_t blocks = larger(1, floats / (arrays * threads * BLOCK)), count = blocks * BLOCK * threads;
    const Array memory(arrays * count);
    float* a = memory.data;
    if (a == nullptr) return 0;
    const float *b = a + count, *c = b + count;
    for_each(threads, threads, 0, [=](int64_t thread, void*) {
        for (int64_t i = 0; i < arrays; i++)
            std::fill_n(a + i * count + thread * blocks * BLOCK, blocks * BLOCK, 1.0f);
    });
    const double units = double(arrays * BLOCK) * sizeof(float);
    return rate_of(threads, seconds, units, [=](int64_t thread, int64_t n) {
        const int64_t from = (thread * blocks + n % blocks) * BLOCK;
        VF total[K] = {};
        for (int64_t at = from; at < from + BLOCK; at += K * W) {
            UNROLL for (int k = 0; k < K; k++) {
                const int64_t i = at + k * W;
                if (triad)
                    store(a + i, fma(load(c + i), broadcast(0.5f), load(b + i)));
                else
                    total[k] = total[k] + load(a + i);
            }
        }
        UNROLL for (int k = 0; k < K; k++) observe(total[k]);
    });
}

inline double limit(int which, int threads, int64_t bytes, double seconds) {
    switch (which) {
        case CADUCEUS_LIMIT_FMA: return fma_rate(threads, seconds);
        case CADUCEUS_LIMIT_EXP: return exp_rate(threads, seconds);
        default: return memory_rate(which == CADUCEUS_LIMIT_TRIAD, threads, bytes, seconds);
    }
}

}  // namespace CADUCEUS_ISA
