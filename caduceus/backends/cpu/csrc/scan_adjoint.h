// The inner loops of the scan's backward: P states of one column over one tile.
//
//     g_t = C_t dy_t + exp(delta_{t+1} A) g_{t+1}                     adjoint of s_t
//     w_t = exp(delta_t A) s_{t-1} g_t                                adjoint of delta_t A
//     dB_t += g_t delta_t u_t      dC_t += s_t dy_t                   over the channels
//     ddrive_t += g_t . B_t        dexponent_t += w_t . A             over the states
//     dA += w_t delta_t                                               over the steps
#pragma once

#include "scan_tile.h"

namespace CADUCEUS_ISA {

template <class T>
struct BackwardColumn {
    static constexpr int W = WIDTH<T>;
    // Offsets of the buffers (TILE, W) of a column. DY: the adjoint of y before the gate; DEXPONENT: in units of the
    // rates, A log2(e); Y: C_t . s_t + D u_t; DGATE: the derivative of the gated y by z is Y DGATE.
    static constexpr int64_t DELTA = 0, DRIVE = TILE * W, U = 2 * TILE * W, SLOPE = 3 * TILE * W, DY = 4 * TILE * W,
                             DDRIVE = 5 * TILE * W, DEXPONENT = 6 * TILE * W, Y = 7 * TILE * W, DGATE = 8 * TILE * W,
                             SIZE = 9 * TILE * W + LINE<T>;
};

// The column's states from the first to be walked on, (P, W) each; B and C have N to a step.
template <class T>
struct AdjointStates {
    const T *B, *C;
    int64_t N;
    const T* rates;
    const T* before;  // the states before the tile, a checkpoint
    int64_t stride;   // from one state of `before` to the next
    int64_t lanes;    // of `before` that exist
    T* carry;         // the adjoint of the states after the tile, then of those before it
    T* dA;
};

// What the two walks over a tile hand on, (TILE, P, W): each decay, the state before each step, dB and dC by lanes.
template <class T>
struct AdjointLanes {
    T *decay, *before, *dB, *dC;
};

template <int P, int SIDE, bool IN_RANGE, bool GATED, class T>
void recompute(T* column, const AdjointStates<T> states, const AdjointLanes<T> lanes, int steps, const Ahead<T> ahead) {
    using V = Vec<T>;
    using Column = BackwardColumn<T>;
    constexpr int W = WIDTH<T>;
    V s[P];
    UNROLL for (int n = 0; n < P; n++) s[n] = load(states.before + n * states.stride, states.lanes);
    for (int t = 0; t < steps; t++) {
        ahead.ask(t);
        T* at = column + t * W;
        const V d = load(at + Column::DELTA), x = load(at + Column::DRIVE), dy = load(at + Column::DY);
        V y = GATED ? load(at + Column::Y) : V{};
        UNROLL for (int n = 0; n < P; n += SIDE) {
            V decay[SIDE];
            exp2_products<!IN_RANGE>(d, states.rates + n * W, decay);
            UNROLL for (int i = 0; i < SIDE; i++) {
                const int64_t to = (t * P + n + i) * W;
                store(lanes.decay + to, decay[i]);
                store(lanes.before + to, s[n + i]);
                s[n + i] = fma(decay[i], s[n + i], x * states.B[t * states.N + n + i]);
                store(lanes.dC + to, fma(s[n + i], dy, load(lanes.dC + to)));
                if (GATED) y = fma(s[n + i], broadcast(states.C[t * states.N + n + i]), y);
            }
        }
        if (GATED) store(at + Column::Y, y);
    }
}

template <int P, class T>
void walk_back(T* column, const AdjointStates<T> states, const AdjointLanes<T> lanes, int steps) {
    using V = Vec<T>;
    using Column = BackwardColumn<T>;
    constexpr int W = WIDTH<T>;
    V carry[P], dA[P];
    UNROLL for (int n = 0; n < P; n++) carry[n] = load(states.carry + n * W);
    UNROLL for (int n = 0; n < P; n++) dA[n] = V{};
    for (int t = steps - 1; t >= 0; t--) {
        T* at = column + t * W;
        const V d = load(at + Column::DELTA), x = load(at + Column::DRIVE), dy = load(at + Column::DY);
        V ddrive = load(at + Column::DDRIVE), dexponent = load(at + Column::DEXPONENT);
        UNROLL for (int n = 0; n < P; n++) {
            const int64_t from = (t * P + n) * W;
            const V g = fma(dy, broadcast(states.C[t * states.N + n]), carry[n]);
            store(lanes.dB + from, fma(g, x, load(lanes.dB + from)));
            ddrive = fma(g, broadcast(states.B[t * states.N + n]), ddrive);
            carry[n] = load(lanes.decay + from) * g;
            const V w = carry[n] * load(lanes.before + from);
            dexponent = fma(w, load(states.rates + n * W), dexponent);
            dA[n] = fma(w, d, dA[n]);
        }
        store(at + Column::DDRIVE, ddrive);
        store(at + Column::DEXPONENT, dexponent);
    }
    UNROLL for (int n = 0; n < P; n++) store(states.carry + n * W, carry[n]);
    UNROLL for (int n = 0; n < P; n++) store(states.dA + n * W, load(states.dA + n * W) + dA[n]);
}

}  // namespace CADUCEUS_ISA
