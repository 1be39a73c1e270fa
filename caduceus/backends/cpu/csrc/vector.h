// Vectors of one instruction set: memory, products and sums, selection.
//
// The kernels are compiled once per instruction set, each time with another namespace CADUCEUS_ISA. All arithmetic is
// on whole vectors: a row with fewer channels than lanes is padded, never computed by other code, so that the value of
// a channel does not depend on its lane, its group or its thread. Products are fused with sums where `fma` says so and
// nowhere else (-ffp-contract=off), so that two versions of a loop round alike.
#pragma once

#include <stdint.h>
#include <string.h>
#if defined(CADUCEUS_BYTES)
// Vectors of any width by the compiler's own means, on any processor: for tests.
#elif defined(__AVX512F__)
#define WITH_AVX512
#elif defined(__AVX2__)
#define WITH_AVX2
#elif defined(__SSE2__)
#define WITH_SSE2
#elif defined(__ARM_NEON) && defined(__aarch64__)
#define WITH_NEON
#endif
#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(WITH_NEON)
#include <arm_neon.h>
#endif

#define UNROLL _Pragma("GCC unroll 16")

namespace CADUCEUS_ISA {

#if defined(CADUCEUS_BYTES)
constexpr int BYTES = CADUCEUS_BYTES;
#elif defined(WITH_AVX512)
constexpr int BYTES = 64;
#elif defined(WITH_AVX2)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
    typedef float V __attribute__((vector_size(BYTES)));
    typedef uint32_t I __attribute__((vector_size(BYTES)));
};
template <>
struct Lanes<double> {
    typedef double V __attribute__((vector_size(BYTES)));
};
template <class T>
using Vec = typename Lanes<T>::V;
using VF = Vec<float>;
using VD = Vec<double>;
template <class T>
constexpr int WIDTH = BYTES / int(sizeof(T));
template <class T>
constexpr int LINE = 64 / int(sizeof(T));  // elements of a cache line

template <class T>
inline Vec<T> load(const T* from) {
    Vec<T> v;
    memcpy(&v, from, sizeof v);
    return v;
}

template <class T>
inline void store(T* to, Vec<T> v) {
    memcpy(to, &v, sizeof v);
}

// The first `count` lanes from memory, zero in the others.
template <class T>
inline Vec<T> load(const T* from, int64_t count) {
    if (count >= WIDTH<T>) return load(from);
    Vec<T> v{};
    memcpy(&v, from, size_t(count) * sizeof(T));
    return v;
}

template <class T>
inline void store(T* to, Vec<T> v, int64_t count) {
    if (count >= WIDTH<T>) return store(to, v);
    memcpy(to, &v, size_t(count) * sizeof(T));
}

// The first `count` lanes of v, zero in the others.
template <class T>
inline Vec<T> keep(Vec<T> v, int64_t count) {
    if (count >= WIDTH<T>) return v;
    Vec<T> kept{};
    memcpy(&kept, &v, size_t(count) * sizeof(T));
    return kept;
}

template <class T>
inline Vec<T> broadcast(T x) {
    return x - Vec<T>{};
}

// Sum of the lanes, always in the same order.
template <class T>
inline T sum(Vec<T> v) {
    T lanes[WIDTH<T>];
    store(lanes, v);
    for (int half = WIDTH<T> / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
    return lanes[0];
}

template <class V>
inline bool any(V condition) {
    constexpr int n = int(sizeof(V) / sizeof(int64_t));
    int64_t parts[n], all = 0;
    memcpy(parts, &condition, sizeof parts);
    for (int i = 0; i < n; i++) all |= parts[i];
    return all != 0;
}

// a b + c with one rounding where the instruction set has it; larger and smaller return b if a or b is NaN.
#if defined(WITH_AVX512)
inline VF fma(VF a, VF b, VF c) { return (VF)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
inline VD fma(VD a, VD b, VD c) { return (VD)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c); }
inline VF larger(VF a, VF b) { return (VF)_mm512_max_ps((__m512)a, (__m512)b); }
inline VF smaller(VF a, VF b) { return (VF)_mm512_min_ps((__m512)a, (__m512)b); }
#elif defined(WITH_AVX2)
inline VF fma(VF a, VF b, VF c) { return (VF)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
inline VD fma(VD a, VD b, VD c) { return (VD)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c); }
inline VF larger(VF a, VF b) { return (VF)_mm256_max_ps((__m256)a, (__m256)b); }
inline VF smaller(VF a, VF b) { return (VF)_mm256_min_ps((__m256)a, (__m256)b); }
#else
#if defined(WITH_SSE2)
inline VF larger(VF a, VF b) { return (VF)_mm_max_ps((__m128)a, (__m128)b); }
inline VF smaller(VF a, VF b) { return (VF)_mm_min_ps((__m128)a, (__m128)b); }
#else
inline VF larger(VF a, VF b) { return a > b ? a : b; }
inline VF smaller(VF a, VF b) { return a < b ? a : b; }
#endif
#if defined(WITH_NEON)
inline VF fma(VF a, VF b, VF c) { return (VF)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
inline VD fma(VD a, VD b, VD c) { return (VD)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b); }
#else
inline VF fma(VF a, VF b, VF c) { return a * b + c; }
inline VD fma(VD a, VD b, VD c) { return a * b + c; }
#endif
#endif
inline VD larger(VD a, VD b) { return a > b ? a : b; }
inline VD smaller(VD a, VD b) { return a < b ? a : b; }

}  // namespace CADUCEUS_ISA
