// exp, softplus and the sigmoid on vectors; float32 to about 1e-7, float64 by the library's functions.
#pragma once

#include <math.h>

#include "vector.h"

namespace CADUCEUS_ISA {

// 2^f for |f| <= 1/2, relative error 9e-8: minimax of degree 5 with p(0) = 1 exactly, so that no decay is biased.
template <int K>
inline void exp2_fraction(const VF (&f)[K], VF (&p)[K]) {
    UNROLL for (int i = 0; i < K; i++) p[i] = fma(broadcast(0.00132647273f), f[i], broadcast(0.00967151299f));
    UNROLL for (int i = 0; i < K; i++) p[i] = fma(p[i], f[i], broadcast(0.0555073359f));
    UNROLL for (int i = 0; i < K; i++) p[i] = fma(p[i], f[i], broadcast(0.240222424f));
    UNROLL for (int i = 0; i < K; i++) p[i] = fma(p[i], f[i], broadcast(0.693147004f));
    UNROLL for (int i = 0; i < K; i++) p[i] = fma(p[i], f[i], broadcast(1.0f));
}

// x y = whole(nearest(x, y)) + fraction, and p * 2^whole(r) = scale(p, r), as long as |x y| <= EXP2_RANGE: the power is a
// normal number or, with AVX-512, the fraction is small. The rounding of a large product would leave one so large that its
// polynomial overflows. Where EXP2_SATURATES, always.
template <class T>
constexpr bool EXP2_SATURATES = true;
template <>
constexpr bool EXP2_SATURATES<float> = false;
#if defined(WITH_AVX512)
constexpr float EXP2_RANGE = 4194304.0f;
inline VF nearest(VF x, VF y) { return (VF)_mm512_roundscale_ps((__m512)(x * y), 0); }
inline VF whole(VF r) { return r; }
inline VF scale(VF p, VF r) { return (VF)_mm512_scalef_ps((__m512)p, (__m512)r); }
#else
// Adding 1.5 * 2^23 rounds to an integer, which is then in the low bits of the sum.
constexpr float EXP2_RANGE = 126.0f;
constexpr float ROUND = 12582912.0f;
inline VF nearest(VF x, VF y) { return fma(x, y, broadcast(ROUND)); }
inline VF whole(VF r) { return r - ROUND; }
inline VF scale(VF p, VF r) {
    using I = Lanes<float>::I;
    return (VF)((I)p + ((I)r << 23));
}
#endif

// 2^(x y[i]) for K vectors y side by side, so that the latency of one hides behind the others. With SATURATE they may
// be out of range and become 0 or infinity, and NaN stays NaN; without, |x y| <= EXP2_RANGE is needed. In range both give
// the same bits.
template <bool SATURATE, int K>
inline void exp2_products(VF x, const float* y, VF (&out)[K]) {
    VF r[K], f[K], p[K];
    UNROLL for (int i = 0; i < K; i++) r[i] = nearest(x, load(y + i * WIDTH<float>));
    UNROLL for (int i = 0; i < K; i++) f[i] = fma(x, load(y + i * WIDTH<float>), -whole(r[i]));
    exp2_fraction(f, p);
    UNROLL for (int i = 0; i < K; i++) out[i] = scale(p[i], r[i]);
    if (SATURATE) {
        for (int i = 0; i < K; i++) {
            VF product = x * load(y + i * WIDTH<float>);
            out[i] = product < -EXP2_RANGE ? VF{} : (product <= EXP2_RANGE ? out[i] : product * HUGE_VALF);
        }
    }
}

template <bool, int K>
inline void exp2_products(VD x, const double* y, VD (&out)[K]) {
    for (int i = 0; i < K; i++) {
        out[i] = x * load(y + i * WIDTH<double>);
        for (int lane = 0; lane < WIDTH<double>; lane++) out[i][lane] = ::exp2(out[i][lane]);
    }
}

// e^x; log2(e) in two parts keeps the relative error at 1e-7 for large |x|. Constant below -87 and above 88.
inline VF exp(VF x) {
    x = smaller(broadcast(88.0f), larger(broadcast(-87.0f), x));
    VF r = nearest(x, broadcast(1.44269502f));
    VF f[1] = {fma(x, broadcast(1.92596299e-8f), fma(x, broadcast(1.44269502f), -whole(r)))}, p[1];
    exp2_fraction(f, p);
    return scale(p[0], r);
}

// log(1 + t) = 2 atanh(s), s = t / (2 + t), for 0 <= t <= 1.
inline VF log1p_unit(VF t) {
    VF s = t / (t + 2.0f), w = s * s;
    VF q = fma(broadcast(0.134257490f), w, broadcast(0.141183099f));
    q = fma(q, w, broadcast(0.200037803f));
    q = fma(q, w, broadcast(0.333333202f));
    return 2.0f * fma(s * w, q, s);
}

inline VD each(VD x, double (*f)(double)) {
    for (int lane = 0; lane < WIDTH<double>; lane++) x[lane] = f(x[lane]);
    return x;
}
inline VD exp(VD x) { return each(x, ::exp); }
inline VD log1p_unit(VD t) { return each(t, ::log1p); }

template <class V>
inline V sigmoid(V x) {
    return 1.0f / (1.0f + exp(-x));
}

constexpr double SOFTPLUS_THRESHOLD = 20.0;

// log(1 + e^x) and its derivative, the sigmoid; x and 1 above the threshold.
template <class V>
struct Softplus {
    V value, slope;

    explicit Softplus(V x) {
        const V zero{}, one = zero + 1, t = exp(smaller(-x, x));
        value = larger(zero, x) + log1p_unit(t);
        slope = (x > zero ? one : t) / (one + t);
        if (sizeof(x[0]) == sizeof(float)) return;  // in float32, x and 1 is what these are above the threshold
        value = x > SOFTPLUS_THRESHOLD ? x : value;
        slope = x > SOFTPLUS_THRESHOLD ? one : slope;
    }
};

}  // namespace CADUCEUS_ISA
