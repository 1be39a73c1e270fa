// The selective scan forward; `scan_tile.h` has its equation.
#pragma once

#include "scan_tile.h"

namespace CADUCEUS_ISA {

// States kept in registers at a time, and of those how many exponentials side by side. Processors with vectors of 64
// bytes have 32 registers for them; with more states than these, some leave the registers.
template <class T>
constexpr int STATES_AT_ONCE = BYTES == 64 ? 16 : 8;
template <>
constexpr int STATES_AT_ONCE<double> = 4;
constexpr int SIDE_BY_SIDE = 2;
constexpr int64_t FORWARD_CHANNELS = 512;  // most of a group: its buffers stay in a second-level cache

template <class T>
struct ForwardColumn {
    static constexpr int W = WIDTH<T>;
    // Offsets of the buffers (TILE, W) of a column; the last, odd line keeps columns off the same cache sets.
    static constexpr int64_t DELTA = 0, DRIVE = TILE * W, Y = 2 * TILE * W, SIZE = 3 * TILE * W + LINE<T>;
};

// P states of one column over one tile: y_t += C_t . s_t.
template <int P, int SIDE, bool IN_RANGE, class T>
void recur(T* column, const T* B, const T* C, int64_t N, const T* rates, T* states, int steps, const Ahead<T> ahead) {
    using V = Vec<T>;
    using Column = ForwardColumn<T>;
    constexpr int W = WIDTH<T>;
    V s[P];
    UNROLL for (int n = 0; n < P; n++) s[n] = load(states + n * W);
    for (int t = 0; t < steps; t++) {
        ahead.ask(t);
        T* at = column + t * W;
        const V d = load(at + Column::DELTA), x = load(at + Column::DRIVE);
        V y = load(at + Column::Y);
        UNROLL for (int n = 0; n < P; n += SIDE) {
            V decay[SIDE];
            exp2_products<!IN_RANGE>(d, rates + n * W, decay);
            UNROLL for (int i = 0; i < SIDE; i++) s[n + i] = fma(decay[i], s[n + i], x * B[t * N + n + i]);
            UNROLL for (int i = 0; i < SIDE; i++) y = fma(s[n + i], broadcast(C[t * N + n + i]), y);
        }
        store(at + Column::Y, y);
    }
    UNROLL for (int n = 0; n < P; n++) store(states + n * W, s[n]);
}

template <class T>
class ScanForward {
    using Tile = ScanTile<T>;
    using Column = ForwardColumn<T>;
    using V = Vec<T>;
    static constexpr int W = WIDTH<T>;

    Tile tile;
    T* columns;

  public:
    ScanForward(const caduceus_scan& scan, const ScanWeights<T>& weights, int64_t b, Group group, Arena arena)
        : tile(scan, weights, b, group, arena) {
        take(arena, group.columns * Column::SIZE, columns);
    }

    static size_t bytes(int64_t columns, int64_t states) {
        return Tile::bytes(columns, states) + Arena::bytes<T>(columns * Column::SIZE);
    }

    void run() {
        for (int64_t i = 0; i < tile.tiles(); i++) {
            tile.move_to(i);
            if (tile.a.checkpoints.data != nullptr) keep_states(i);
            if (tile.dt_proj != nullptr) tile.project_steps(columns + Column::DELTA, Column::SIZE);
            for (int t = 0; t < tile.steps; t++) read_row(t);
            for (int64_t c = 0; c < tile.group.columns; c++) {
                if (tile.in_range(c, columns + c * Column::SIZE + Column::DELTA)) {
                    walk<true>(c);
                } else {
                    walk<EXP2_SATURATES<T>>(c);
                }
            }
            for (int t = 0; t < tile.steps; t++) write_row(t);
        }
        tile.store_states(static_cast<T*>(tile.a.last), tile.states);
    }

  private:
    void keep_states(int64_t i) const {
        for (int64_t c = 0; c < tile.group.columns; c++)
            for (int64_t n = 0; n < tile.N; n++)
                store(tile.checkpoint(i, c, n), load(tile.states + (c * tile.N + n) * W), tile.lanes(c));
    }

    void read_row(int t) {
        const int64_t p = tile.at(t), start = tile.group.channel;
        const bool valid = tile.valid(p), softplus = tile.a.softplus, projected = tile.dt_proj != nullptr;
        const T *u = tile.u.at(tile.b, p) + start, *dt = tile.dt.at(tile.b, p) + start;
        const T *bias = tile.bias, *skip = tile.skip;
        T* buffers = columns + t * W;
        each_column<W>(tile.group.channels, [=](int64_t c, int64_t count) {
            const V x = load(u + c * W, count);
            T* to = buffers + c * Column::SIZE;
            V d{}, drive{};
            if (valid) {
                d = projected ? load(to + Column::DELTA) : load(dt + c * W, count) + load(bias + c * W);
                if (softplus) d = Softplus<V>(d).value;
                drive = d * x;
            }
            store(to + Column::DELTA, d);
            store(to + Column::DRIVE, drive);
            store(to + Column::Y, load(skip + c * W) * x);
        });
    }

    template <bool IN_RANGE>
    void walk(int64_t c) {
        int64_t n = 0;
        constexpr int P = STATES_AT_ONCE<T>;
        for (; n + P <= tile.N; n += P) pass<P, SIDE_BY_SIDE, IN_RANGE>(c, n);
        for (; n + 4 <= tile.N; n += 4) pass<4, SIDE_BY_SIDE, IN_RANGE>(c, n);
        for (; n < tile.N; n++) pass<1, 1, IN_RANGE>(c, n);
    }

    template <int P, int SIDE, bool IN_RANGE>
    void pass(int64_t c, int64_t n) {
        const int64_t state = (c * tile.N + n) * W;
        T* column = columns + c * Column::SIZE;
        recur<P, SIDE, IN_RANGE>(column, tile.B_tile + n, tile.C_tile + n, tile.N, tile.rates + state,
                                 tile.states + state, tile.steps, n == 0 ? ahead(c) : Ahead<T>(column));
    }

    Ahead<T> ahead(int64_t c) const {
        Ahead<T> ahead(columns);
        if (!tile.starts_line(c) || tile.first + 2 * TILE > tile.a.length) return ahead;
        tile.add_to(ahead, tile.u, c, TILE);
        if (tile.dt_proj == nullptr) tile.add_to(ahead, tile.dt, c, TILE);
        tile.add_to(ahead, tile.a.y, c, TILE);
        if (tile.z) tile.add_to(ahead, tile.z, c, TILE);
        return ahead;
    }

    void write_row(int t) const {
        const int64_t p = tile.at(t), start = tile.group.channel;
        const bool accumulate = tile.a.accumulate, gated = bool(tile.z);
        const T *from = columns + t * W + Column::Y, *z = gated ? tile.z.at(tile.b, p) + start : nullptr;
        T* out = Rows<T>(tile.a.y).at(tile.b, p) + start;
        each_column<W>(tile.group.channels, [=](int64_t c, int64_t count) {
            V y = load(from + c * Column::SIZE);
            if (accumulate) y = y + load(out + c * W, count);
            if (gated) {
                const V gate = load(z + c * W, count);
                y = y * (gate * sigmoid(gate));
            }
            store(out + c * W, y, count);
        });
    }
};

template <class T>
int64_t scan_groups(const caduceus_scan& a, int64_t most_channels) {
    constexpr int64_t W = WIDTH<T>;
    return group_count(a.batch, ceil_div(a.channels, W), a.threads, most_channels / W, 2);
}

template <class T>
void scan_forward(const caduceus_scan& a, const ScanWeights<T>& weights) {
    const int64_t groups = scan_groups<T>(a, FORWARD_CHANNELS), columns = ceil_div(weights.columns, groups);
    for_each(a.batch * groups, a.threads, ScanForward<T>::bytes(columns, a.states), [&](int64_t i, void* scratch) {
        const Group group(i % groups, groups, a.channels, WIDTH<T>);
        ScanForward<T>(a, weights, i / groups, group, Arena(scratch)).run();
    });
}

template <class T>
void scan_forward(const caduceus_scan& a) {
    const caduceus::Workspace memory(ScanWeights<T>::bytes(a.channels, a.states, 0));
    Arena arena(memory.data);
    scan_forward(a, ScanWeights<T>(a, nullptr, 0, arena));
}

}  // namespace CADUCEUS_ISA
