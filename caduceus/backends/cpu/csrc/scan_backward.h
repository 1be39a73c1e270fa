// The selective scan backward: tiles from the last to the first, the states of each computed again from its checkpoint.
//
// `scan_tile.h` has the equation of the forward, `scan_adjoint.h` that of the states' adjoint. Around it,
//
//     dy'_t = dy_t silu(z_t)                                       adjoint of C_t . s_t + D u_t
//     du_t = ddrive_t delta_t + D dy'_t                            dz_t = dy_t (C_t . s_t + D u_t) silu'(z_t)
//     ddt_t = (ddrive_t u_t + dexponent_t) softplus'(dt_t)         0 where masked
#pragma once

#include "scan_adjoint.h"
#include "scan_forward.h"

namespace CADUCEUS_ISA {

constexpr int BACKWARD_STATES = 4;
constexpr int64_t BACKWARD_CHANNELS = 512;

template <class T>
class ScanBackward {
    using Tile = ScanTile<T>;
    using Column = BackwardColumn<T>;
    using V = Vec<T>;
    static constexpr int W = WIDTH<T>;

    const caduceus_scan_gradients& grads;
    const int64_t index;  // of the group
    Tile tile;
    T* columns;
    T *carry, *dA;  // (columns, N, W)
    Sums<T> sums;   // (2, columns, W): of D and dt_bias
    bool* plain;    // (columns): whether the tile's decays are in the range of the plain power of two
    AdjointLanes<T> lanes;

  public:
    ScanBackward(const caduceus_scan_gradients& gradients, const ScanWeights<T>& weights, int64_t b, int64_t group_index,
                 Group group, Arena arena)
        : grads(gradients), index(group_index), tile(gradients.scan, weights, b, group, arena),
          sums(arena, 2 * group.columns * W) {
        take(arena, group.columns * Column::SIZE, columns);
        take(arena, group.columns * tile.N * W, carry, dA);
        take(arena, group.columns, plain);
        take(arena, TILE * BACKWARD_STATES * W, lanes.decay, lanes.before, lanes.dB, lanes.dC);
        memset(dA, 0, size_t(group.columns * tile.N * W) * sizeof(T));
        tile.load_states(carry, static_cast<const T*>(gradients.dlast));
    }

    static size_t bytes(int64_t columns, int64_t states) {
        return Tile::bytes(columns, states) + Arena::bytes<T>(columns * Column::SIZE) +
               2 * Arena::bytes<T>(columns * states * W) + Arena::bytes<bool>(columns) +
               Sums<T>::bytes(2 * columns * W) +
               4 * Arena::bytes<T>(TILE * BACKWARD_STATES * W);
    }

    void run() {
        for (int64_t i = tile.tiles() - 1; i >= 0; i--) {
            tile.move_to(i);
            if (tile.dt_proj != nullptr) tile.project_steps(columns + Column::DELTA, Column::SIZE);
            for (int t = 0; t < tile.steps; t++) read_row(t);
            for (int64_t c = 0; c < tile.group.columns; c++)
                plain[c] = tile.in_range(c, columns + c * Column::SIZE + Column::DELTA);
            int64_t n = 0;
            for (; n + BACKWARD_STATES <= tile.N; n += BACKWARD_STATES) pass<BACKWARD_STATES, 2>(i, n);
            for (; n < tile.N; n++) pass<1, 1>(i, n);
            for (int t = 0; t < tile.steps; t++) write_row(t);
            sums.fold();
        }
        tile.store_states(static_cast<T*>(grads.dA), dA);
        tile.store_states(static_cast<T*>(grads.dstate), carry);
        store_channels(static_cast<T*>(grads.dD), sums.total);
        store_channels(static_cast<T*>(grads.ddt_bias), sums.total + tile.group.columns * W);
    }

  private:
    void read_row(int t) {
        const int64_t p = tile.at(t), start = tile.group.channel;
        const bool valid = tile.valid(p), softplus = tile.a.softplus, gated = bool(tile.z);
        const bool projected = tile.dt_proj != nullptr;
        const T *u = tile.u.at(tile.b, p) + start, *dt = tile.dt.at(tile.b, p) + start;
        const T *dy = Rows<const T>(grads.dy).at(tile.b, p) + start, *bias = tile.bias, *skip = tile.skip;
        const T* z = gated ? tile.z.at(tile.b, p) + start : nullptr;
        T* buffers = columns + t * W;
        each_column<W>(tile.group.channels, [=](int64_t c, int64_t count) {
            const V zero{}, input = load(u + c * W, count);
            T* to = buffers + c * Column::SIZE;
            V g = load(dy + c * W, count);
            if (gated) {
                const V gate = load(z + c * W, count), sig = sigmoid(gate), silu = gate * sig;
                store(to + Column::DGATE, g * fma(silu, 1 - sig, sig));
                store(to + Column::Y, load(skip + c * W) * input);
                g = g * silu;
            }
            V x = zero, d = zero, slope = zero;
            if (valid) {
                x = input;
                d = projected ? load(to + Column::DELTA) : load(dt + c * W, count) + load(bias + c * W);
                slope = zero + 1;
                if (softplus) {
                    const Softplus<V> plus(d);
                    d = plus.value;
                    slope = plus.slope;
                }
            }
            store(to + Column::DELTA, d);
            store(to + Column::DRIVE, d * x);
            store(to + Column::U, x);
            store(to + Column::SLOPE, slope);
            store(to + Column::DY, g);
            store(to + Column::DDRIVE, zero);
            store(to + Column::DEXPONENT, zero);
        });
    }

    // P states of every column, and the sums over the group's channels.
    template <int P, int SIDE>
    void pass(int64_t i, int64_t n) {
        const size_t size = size_t(tile.steps * P * W) * sizeof(T);
        memset(lanes.dB, 0, size);
        memset(lanes.dC, 0, size);
        for (int64_t c = 0; c < tile.group.columns; c++) {
            const int64_t state = (c * tile.N + n) * W;
            T* column = columns + c * Column::SIZE;
            const AdjointStates<T> states{tile.B_tile + n, tile.C_tile + n, tile.N, tile.rates + state,
                                          tile.checkpoint(i, c, n), tile.a.channels, tile.lanes(c), carry + state,
                                          dA + state};
            const Ahead<T> rows = n == 0 ? inputs_ahead(c) : n == P ? outputs_ahead(c) : Ahead<T>(columns);
            if (plain[c]) {
                again<P, SIDE, true>(column, states, rows);
            } else {
                again<P, SIDE, EXP2_SATURATES<T>>(column, states, rows);
            }
            walk_back<P>(column, states, lanes, tile.steps);
        }
        write_sums<P>(static_cast<T*>(grads.dB), lanes.dB, n);
        write_sums<P>(static_cast<T*>(grads.dC), lanes.dC, n);
    }

    template <int P, int SIDE, bool IN_RANGE>
    void again(T* column, const AdjointStates<T>& states, const Ahead<T>& rows) const {
        if (tile.z) return recompute<P, SIDE, IN_RANGE, true>(column, states, lanes, tile.steps, rows);
        recompute<P, SIDE, IN_RANGE, false>(column, states, lanes, tile.steps, rows);
    }

    Ahead<T> inputs_ahead(int64_t c) const {
        Ahead<T> ahead(columns);
        if (!tile.starts_line(c) || tile.first == 0) return ahead;
        tile.add_to(ahead, tile.u, c, -TILE);
        if (tile.dt_proj == nullptr) tile.add_to(ahead, tile.dt, c, -TILE);
        tile.add_to(ahead, grads.dy, c, -TILE);
        if (tile.z) tile.add_to(ahead, tile.z, c, -TILE);
        return ahead;
    }

    Ahead<T> outputs_ahead(int64_t c) const {
        Ahead<T> ahead(columns);
        if (!tile.starts_line(c)) return ahead;
        tile.add_to(ahead, grads.du, c, 0);
        tile.add_to(ahead, grads.ddt, c, 0);
        if (tile.z) tile.add_to(ahead, grads.dz, c, 0);
        return ahead;
    }

    template <int P>
    void write_sums(T* to, const T* from, int64_t n) const {
        to += (index * tile.a.batch + tile.b) * tile.a.length * tile.N + n;
        for (int t = 0; t < tile.steps; t++)
            for (int i = 0; i < P; i++) to[tile.at(t) * tile.N + i] = sum<T>(load(from + (t * P + i) * W));
    }

    void write_row(int t) {
        const int64_t p = tile.at(t), start = tile.group.channel;
        const bool gated = bool(tile.z);
        const T *u = tile.u.at(tile.b, p) + start, *skip = tile.skip, *buffers = columns + t * W;
        T *du = Rows<T>(grads.du).at(tile.b, p) + start, *ddt = Rows<T>(grads.ddt).at(tile.b, p) + start;
        T *dz = gated ? Rows<T>(grads.dz).at(tile.b, p) + start : nullptr, *sum_D = sums.part;
        T* sum_bias = sum_D + tile.group.columns * W;
        each_column<W>(tile.group.channels, [=](int64_t c, int64_t count) {
            const T* from = buffers + c * Column::SIZE;
            const V g = load(from + Column::DY), ddrive = load(from + Column::DDRIVE);
            store(du + c * W, fma(ddrive, load(from + Column::DELTA), load(skip + c * W) * g), count);
            store(sum_D + c * W, fma(g, load(u + c * W, count), load(sum_D + c * W)));
            const V exponent = load(from + Column::DEXPONENT) * T(1 / LOG2_E);
            const V raw = fma(ddrive, load(from + Column::U), exponent) * load(from + Column::SLOPE);
            store(ddt + c * W, raw, count);
            store(sum_bias + c * W, load(sum_bias + c * W) + raw);
            if (gated) store(dz + c * W, load(from + Column::Y) * load(from + Column::DGATE), count);
        });
    }

    void store_channels(T* to, const T* from) const {
        if (to == nullptr) return;
        to += tile.b * tile.a.channels + tile.group.channel;
        memcpy(to, from, size_t(tile.group.channels) * sizeof(T));
    }
};

template <class T>
void scan_backward(const caduceus_scan_gradients& g, const ScanWeights<T>& weights) {
    const caduceus_scan& a = g.scan;
    const int64_t groups = scan_groups<T>(a, BACKWARD_CHANNELS), columns = ceil_div(weights.columns, groups);
    for_each(a.batch * groups, a.threads, ScanBackward<T>::bytes(columns, a.states), [&](int64_t i, void* scratch) {
        const Group group(i % groups, groups, a.channels, WIDTH<T>);
        ScanBackward<T>(g, weights, i / groups, i % groups, group, Arena(scratch)).run();
    });
}

template <class T>
void scan_backward(const caduceus_scan_gradients& g) {
    const caduceus_scan& a = g.scan;
    const caduceus::Workspace memory(ScanWeights<T>::bytes(a.channels, a.states, 0));
    Arena arena(memory.data);
    scan_backward(g, ScanWeights<T>(a, nullptr, 0, arena));
}

}  // namespace CADUCEUS_ISA
