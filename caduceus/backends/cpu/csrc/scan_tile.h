// The selective scan, a tile of steps and a group of channels at a time.
//
//     delta_t = softplus(dt_t + dt_bias)      (0 where masked)
//     s_t = exp(delta_t A) s_{t-1} + delta_t u_t B_t
//     y_t = (C_t . s_t + D u_t) silu(z_t)
//
// A tile is read row by row, as memory is laid out, into buffers that hold one column (a vector of channels) after the
// other. The recurrence then walks column by column with the states in registers, without a load that could miss.
#pragma once

#include "functions.h"
#include "constants.h"
#include "task.h"

namespace CADUCEUS_ISA {

constexpr int TILE = caduceus::SCAN_TILE;
constexpr double LOG2_E = 1.4426950408889634;

// The constants of every channel, packed by columns once a call.
template <class T>
struct ScanWeights {
    static constexpr int W = WIDTH<T>;

    const int64_t columns, states, rank;
    T* rates;             // (columns, N, W): A log2(e)
    T* steepest;          // (columns, W): largest |rate| of the channel, NaN if one is
    T *bias, *skip;       // (columns, W)
    T* dt_proj = nullptr;  // (columns, R, W), where dt is still to be projected from R numbers a position

    ScanWeights(const caduceus_scan& a, const T* projection, int64_t R, Arena& arena)
        : columns(ceil_div(a.channels, W)), states(a.states), rank(R) {
        take(arena, columns * states * W, rates);
        take(arena, columns * W, steepest, bias, skip);
        fill(static_cast<const T*>(a.dt_bias), a.channels, 1, bias);
        fill(static_cast<const T*>(a.D), a.channels, 1, skip);
        fill(static_cast<const T*>(a.A), a.channels, states, rates);
        memset(steepest, 0, size_t(columns * W) * sizeof(T));
        for (int64_t i = 0; i < columns * states * W; i++) {
            rates[i] *= T(LOG2_E);
            T& most = steepest[i / (states * W) * W + i % W];
            const T size = rates[i] < 0 ? -rates[i] : rates[i];
            if (!(size <= most) && most == most) most = size;
        }
        if (projection == nullptr) return;
        take(arena, columns * rank * W, dt_proj);
        fill(projection, a.channels, rank, dt_proj);
    }

    static size_t bytes(int64_t channels, int64_t states, int64_t rank) {
        const int64_t padded = ceil_div(channels, W) * W;
        return Arena::bytes<T>(padded * states) + 3 * Arena::bytes<T>(padded) + Arena::bytes<T>(padded * rank);
    }

  private:
    // From (E, count) to (columns, count, W); zero where `from` is null or a lane has no channel.
    void fill(const T* from, int64_t channels, int64_t count, T* to) const {
        memset(to, 0, size_t(columns * count * W) * sizeof(T));
        if (from == nullptr) return;
        for (int64_t e = 0; e < channels; e++)
            for (int64_t i = 0; i < count; i++) to[(e / W * count + i) * W + e % W] = from[e * count + i];
    }
};

template <class T>
struct ScanTile {
    using V = Vec<T>;
    static constexpr int W = WIDTH<T>;

    const caduceus_scan& a;
    const Rows<const T> u, dt, B, C, z;
    const Rows<const uint8_t> mask;
    const int64_t b;
    const Group group;
    const int64_t N, R;
    const T *rates, *steepest, *bias, *skip, *dt_proj;  // of the group, as `ScanWeights` has them
    T *B_tile, *C_tile;                                 // (TILE, N); B is 0 where masked
    T* states;                                          // (columns, N, W)
    int64_t first = 0;                                  // step, and number of steps, of the present tile
    int steps = 0;

    ScanTile(const caduceus_scan& scan, const ScanWeights<T>& weights, int64_t batch_row, Group columns, Arena& arena)
        : a(scan), u(scan.u), dt(scan.dt), B(scan.B), C(scan.C), z(scan.z), mask(scan.mask), b(batch_row),
          group(columns), N(scan.states), R(weights.rank), rates(weights.rates + group.channel * N),
          steepest(weights.steepest + group.channel), bias(weights.bias + group.channel),
          skip(weights.skip + group.channel),
          dt_proj(weights.dt_proj == nullptr ? nullptr : weights.dt_proj + group.channel * R) {
        take(arena, TILE * N, B_tile, C_tile);
        take(arena, group.columns * N * W, states);
        load_states(states, static_cast<const T*>(a.state));
    }

    static size_t bytes(int64_t columns, int64_t states) {
        return 2 * Arena::bytes<T>(TILE * states) + Arena::bytes<T>(columns * states * W);
    }

    int64_t tiles() const { return ceil_div(a.length, TILE); }

    void move_to(int64_t tile) {
        first = tile * TILE;
        steps = int(smaller(TILE, a.length - first));
        for (int t = 0; t < steps; t++) {
            const int64_t p = at(t);
            const bool keep = valid(p);
            for (int64_t n = 0; n < N; n++) B_tile[t * N + n] = keep ? B.at(b, p)[n] : T(0);
            memcpy(C_tile + t * N, C.at(b, p), size_t(N) * sizeof(T));
        }
    }

    // dt + dt_bias of the tile, where dt is to be projected, into the buffers (TILE, W) that lie `stride` apart.
    void project_steps(T* to, int64_t stride) const {
        constexpr int ROWS = 8;
        for (int64_t t = 0; t < steps; t += ROWS) {
            const T* row[ROWS];
            UNROLL for (int i = 0; i < ROWS; i++) row[i] = dt.at(b, at(int(smaller(t + i, steps - 1))));
            for (int64_t c = 0; c < group.columns; c++) {
                V sum[ROWS];
                UNROLL for (int i = 0; i < ROWS; i++) sum[i] = load(bias + c * W);
                for (int64_t r = 0; r < R; r++) {
                    const V weight = load(dt_proj + (c * R + r) * W);
                    UNROLL for (int i = 0; i < ROWS; i++) sum[i] = fma(broadcast(row[i][r]), weight, sum[i]);
                }
                // A tile has whole blocks of rows: those past its last step are written and not read.
                UNROLL for (int i = 0; i < ROWS; i++) store(to + c * stride + (t + i) * W, sum[i]);
            }
        }
    }

    int64_t at(int t) const { return position(first + t, a.length, a.reverse); }
    bool valid(int64_t p) const { return !mask || *mask.at(b, p) != 0; }
    int64_t lanes(int64_t column) const { return group.channels - column * W; }

    // Whether the column is the first of its cache line.
    bool starts_line(int64_t column) const { return column * W * int64_t(sizeof(T)) % 64 == 0; }

    // The column's rows `distance` steps after the tile's.
    void add_to(Ahead<T>& ahead, Rows<const T> rows, int64_t column, int64_t distance) const {
        const int64_t p = position(first + distance, a.length, a.reverse);
        ahead.add(rows.at(b, p) + group.channel + column * W, a.reverse ? -rows.time : rows.time);
    }

    // Between an array (B, N, E) of the caller and the buffer (columns, N, W).
    void load_states(T* to, const T* from) const {
        for (int64_t c = 0; c < group.columns; c++)
            for (int64_t n = 0; n < N; n++)
                store(to + (c * N + n) * W,
                      from == nullptr ? V{} : load(from + (b * N + n) * a.channels + group.channel + c * W, lanes(c)));
    }

    void store_states(T* to, const T* from) const {
        if (to == nullptr) return;
        for (int64_t c = 0; c < group.columns; c++)
            for (int64_t n = 0; n < N; n++)
                store(to + (b * N + n) * a.channels + group.channel + c * W, load(from + (c * N + n) * W), lanes(c));
    }

    T* checkpoint(int64_t tile, int64_t column, int64_t n) const {
        return Rows<T>(a.checkpoints).at(b, tile) + n * a.channels + group.channel + column * W;
    }

    // Whether every decay of the column, whose steps are `delta`, is in the range of the plain power of two. The maximum
    // forgets a NaN, and what came before it.
    bool in_range(int64_t column, const T* delta) const {
        if (EXP2_SATURATES<T>) return true;
        const V zero{};
        V largest{};
        auto nan = zero != zero;
        for (int t = 0; t < steps; t++) {
            const V d = load(delta + t * W);
            largest = larger(larger(largest, d), -d);
            nan |= d != d;
        }
        return !any(nan | ~(largest * load(steepest + column * W) <= T(EXP2_RANGE)));
    }
};

}  // namespace CADUCEUS_ISA
