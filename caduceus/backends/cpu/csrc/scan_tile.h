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
#include "scan_constants.h"
#include "task.h"

namespace CADUCEUS_ISA {

constexpr int TILE = caduceus::SCAN_TILE;
constexpr double LOG2_E = 1.4426950408889634;

template <class T>
struct ScanTile {
    using V = Vec<T>;
    static constexpr int W = WIDTH<T>;

    const caduceus_scan& a;
    const Rows<const T> u, dt, B, C, z;
    const Rows<const uint8_t> mask;
    const int64_t b;
    const Group group;
    const int64_t N;
    T *B_tile, *C_tile;  // (TILE, N); B is 0 where masked
    T* rates;            // (columns, N, W): A log2(e)
    T* steepest;         // (columns, W): largest |rate| of the channel
    T* states;           // (columns, N, W)
    T *bias, *skip;      // (columns, W)
    int64_t first = 0;   // step, and number of steps, of the present tile
    int steps = 0;

    ScanTile(const caduceus_scan& scan, int64_t batch_row, Group columns, Arena& arena)
        : a(scan), u(scan.u), dt(scan.dt), B(scan.B), C(scan.C), z(scan.z), mask(scan.mask), b(batch_row),
          group(columns), N(scan.states) {
        take(arena, TILE * N, B_tile, C_tile);
        take(arena, group.columns * N * W, rates, states);
        take(arena, group.columns * W, steepest, bias, skip);
        load_rates();
        load_channels(bias, static_cast<const T*>(a.dt_bias));
        load_channels(skip, static_cast<const T*>(a.D));
        load_states(states, static_cast<const T*>(a.state));
    }

    static size_t bytes(int64_t columns, int64_t states) {
        return 2 * Arena::bytes<T>(TILE * states) + 2 * Arena::bytes<T>(columns * states * W) +
               3 * Arena::bytes<T>(columns * W);
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

    // Between an array (B, E, N) or (B, tiles, N, E) of the caller and the buffer (columns, N, W).
    void load_states(T* to, const T* from) const {
        memset(to, 0, size_t(group.columns * N * W) * sizeof(T));
        if (from == nullptr) return;
        from += (b * a.channels + group.channel) * N;
        for (int64_t e = 0; e < group.channels; e++)
            for (int64_t n = 0; n < N; n++) to[(e / W * N + n) * W + e % W] = from[e * N + n];
    }

    void store_states(T* to, const T* from) const {
        if (to == nullptr) return;
        to += (b * a.channels + group.channel) * N;
        for (int64_t e = 0; e < group.channels; e++)
            for (int64_t n = 0; n < N; n++) to[e * N + n] = from[(e / W * N + n) * W + e % W];
    }

    T* checkpoint(int64_t tile, int64_t column, int64_t n) const {
        T* all = static_cast<T*>(a.checkpoints);
        return all + ((b * tiles() + tile) * N + n) * a.channels + group.channel + column * W;
    }

    // Whether every decay of the column, whose steps are `delta`, is in the range of the plain power of two.
    bool in_range(int64_t column, const T* delta) const {
        if (EXP2_SATURATES<T>) return true;
        V largest{};
        for (int t = 0; t < steps; t++) {
            V d = load(delta + t * W);
            largest = larger(larger(largest, d), -d);
        }
        return !any(!(largest * load(steepest + column * W) <= T(EXP2_RANGE)));
    }

  private:
    void load_channels(T* to, const T* from) {
        for (int64_t c = 0; c < group.columns; c++)
            store(to + c * W, from == nullptr ? V{} : load(from + group.channel + c * W, lanes(c)));
    }

    void load_rates() {
        memset(rates, 0, size_t(group.columns * N * W) * sizeof(T));
        memset(steepest, 0, size_t(group.columns * W) * sizeof(T));
        const T* A = static_cast<const T*>(a.A) + group.channel * N;
        for (int64_t e = 0; e < group.channels; e++) {
            for (int64_t n = 0; n < N; n++) {
                const T rate = A[e * N + n] * T(LOG2_E), size = rate < 0 ? -rate : rate;
                rates[(e / W * N + n) * W + e % W] = rate;
                if (!(size <= steepest[e])) steepest[e] = size;
            }
        }
    }
};

}  // namespace CADUCEUS_ISA
