// The gradients of a Mamba's weights, added up chunk by chunk.
#pragma once

#include "conv_backward.h"
#include "mamba.h"
#include "scan_backward.h"

namespace CADUCEUS_ISA {

// Both factors of each gradient, packed over the positions of one chunk.
template <class T>
struct Factors {
    Columns<T> dout, dselection, dt, h;
    Weight<T> gated, u, ddt, dx, dz;

    Factors(const caduceus_mamba& a, int64_t positions)
        : dout(positions, a.outer), dselection(positions, a.rank + 2 * a.states), dt(positions, a.rank),
          h(positions, a.outer), gated(positions, a.channels), u(positions, a.channels), ddt(positions, a.channels),
          dx(positions, a.channels), dz(positions, a.channels) {}

    void place(Arena& arena) {
        dout.place(arena), dselection.place(arena), dt.place(arena), h.place(arena);
        gated.place(arena), u.place(arena), ddt.place(arena), dx.place(arena), dz.place(arena);
    }
};

// What the scan's and the convolution's backward leave in parts: of each sequence, and of each tile.
template <class T>
struct Parts {
    const int64_t sequences, tiles, E, N, K;
    T *A, *D, *dt_bias;           // (sequences, N, E), (sequences, E), (sequences, E)
    T *conv_weight, *conv_bias;   // (tiles, E, K), (tiles, E)

    Parts(const caduceus_mamba& a, const Cut& cut)
        : sequences(cut.rows), tiles(cut.rows * cut.steps / STAGE_ROWS), E(a.channels), N(a.states), K(a.taps) {}

    void place(Arena& arena) {
        take(arena, sequences * N * E, A);
        take(arena, sequences * E, D, dt_bias);
        take(arena, tiles * E * K, conv_weight);
        take(arena, tiles * E, conv_bias);
    }

    void add_to(const caduceus_direction_gradients& total, const Chunk& chunk) const {
        add(total.A, A, chunk.rows, N * E);
        add(total.D, D, chunk.rows, E);
        add(total.dt_bias, dt_bias, chunk.rows, E);
        add(total.conv_weight, conv_weight, chunk.rows * Tile::of(chunk), E * K);
        add(total.conv_bias, conv_bias, chunk.rows * Tile::of(chunk), E);
    }

  private:
    static void add(void* total, const T* part, int64_t count, int64_t size) {
        T* to = static_cast<T*>(total);
        for (int64_t i = 0; i < count; i++)
            for (int64_t k = 0; k < size; k++) to[k] += part[i * size + k];
    }
};

template <class T>
void clear(void* array, int64_t count) {
    memset(array, 0, size_t(count) * sizeof(T));
}

template <class T>
void clear_gradients(const caduceus_mamba_gradients& g) {
    const caduceus_mamba& a = g.mamba;
    const int64_t E = a.channels;
    clear<T>(g.in_proj, (a.outer + 1) * 2 * E);
    clear<T>(g.out_proj, a.outer * E);
    for (int d = 0; d < a.directions; d++) {
        const caduceus_direction_gradients& total = g.direction[d];
        clear<T>(total.conv_weight, E * a.taps);
        clear<T>(total.x_proj, (a.rank + 2 * a.states) * E);
        clear<T>(total.dt_proj, a.rank * E);
        clear<T>(total.A, a.states * E);
        clear<T>(total.conv_bias, E), clear<T>(total.dt_bias, E), clear<T>(total.D, E);
    }
}

// Groups of channels in the scan's backward over `rows` sequences.
template <class T>
int64_t mamba_groups(const caduceus_mamba& a, int64_t rows) {
    caduceus_scan scan{};
    scan.batch = rows, scan.channels = a.channels, scan.threads = a.threads;
    return scan_groups<T>(scan, BACKWARD_CHANNELS);
}

// Most numbers that dB, or dC, of one chunk takes: a part for each group of channels.
template <class T>
int64_t most_parts(const caduceus_mamba& a, const Cut& cut) {
    int64_t most = 0;
    for (int64_t rows = 1; rows <= cut.rows; rows++) most = larger(most, rows * mamba_groups<T>(a, rows));
    return most * cut.steps * a.states;
}

}  // namespace CADUCEUS_ISA
