// A Mamba forward, or two that share their projections; `abi.h` has its equation.
#pragma once

#include "mamba.h"

namespace CADUCEUS_ISA {

template <class T>
class MambaForward {
    const caduceus_mamba& a;
    const Cut cut;
    const int64_t E, selected;  // selected: R + 2N
    Weight<T> in_x, in_z, out, select[2];
    T *bias_x, *bias_z, *bias_out;  // whole panels
    char* inner_memory;
    T *u, *selection, *carry;       // of one chunk: (rows, steps, E), (rows, steps, R + 2N), (rows, N, E)
    T *own_x, *own_y;               // (rows, L, E) of one block of sequences, where they are not kept
    const caduceus::Workspace memory;
    Rows<T> x, y;  // of the present block of sequences

  public:
    explicit MambaForward(const caduceus_mamba& mamba)
        : a(mamba), cut(a), E(a.channels), selected(a.rank + 2 * a.states), in_x(a.outer, E), in_z(a.outer, E),
          out(E, a.outer), select{{E, selected}, {E, selected}}, memory(place(Arena(nullptr))) {
        place(Arena(memory.data));
    }

    void run() {
        pack_weights();
        Arena arena(inner_memory);
        const InnerWeights<T> inner[2] = {{a, a.direction[0], arena}, {a, a.direction[a.directions - 1], arena}};
        for (int64_t b = 0; b < a.batch; b += cut.rows) {
            const int64_t rows = smaller(cut.rows, a.batch - b);
            x = kept() ? Rows<T>(a.x) : Rows<T>({own_x - b * a.length * E, a.length * E, E});
            y = kept() ? Rows<T>(a.y) : Rows<T>({own_y - b * a.length * E, a.length * E, E});
            for (int d = 0; d < a.directions; d++) walk(b, rows, d, inner[d]);
        }
    }

  private:
    bool kept() const { return a.x.data != nullptr; }

    void pack_weights() {
        pack(in_x, a.in_proj, 1, a.outer, a.threads);
        pack(in_z, static_cast<const T*>(a.in_proj) + E * a.outer, 1, a.outer, a.threads);
        pack(out, a.out_proj, 1, E, a.threads);
        for (int d = 0; d < a.directions; d++) pack(select[d], a.direction[d].x_proj, 1, E, a.threads);
        const T* in_bias = static_cast<const T*>(a.in_bias);
        fill(bias_x, in_x, in_bias, 1);
        fill(bias_z, in_z, in_bias == nullptr ? nullptr : in_bias + E, 1);
        fill(bias_out, out, static_cast<const T*>(a.out_bias), T(a.directions));
    }

    size_t place(Arena arena) {
        in_x.place(arena), in_z.place(arena), out.place(arena), select[0].place(arena), select[1].place(arena);
        take(arena, in_x.count() * PANEL<T>, bias_x, bias_z);
        take(arena, out.count() * PANEL<T>, bias_out);
        take(arena, int64_t(2 * InnerWeights<T>::bytes(a)), inner_memory);
        take(arena, cut.rows * cut.steps * E, u);
        take(arena, cut.rows * cut.steps * selected, selection);
        take(arena, cut.rows * a.states * E, carry);
        take(arena, kept() ? 0 : cut.rows * a.length * E, own_x, own_y);
        return arena.used();
    }

    static void fill(T* to, const Weight<T>& weight, const T* bias, T times) {
        for (int64_t c = 0; c < weight.count() * PANEL<T>; c++)
            to[c] = bias != nullptr && c < weight.columns ? times * bias[c] : T(0);
    }

    void walk(int64_t b, int64_t rows, int d, const InnerWeights<T>& inner) {
        const caduceus_direction& direction = a.direction[d];
        memset(carry, 0, size_t(rows * a.states * E) * sizeof(T));
        for (int64_t first = 0; first < a.length; first += cut.steps) {
            const Chunk chunk(b, rows, first, cut.steps, a.length, direction.reverse);
            if (d == 0) project_in(chunk);
            const Rows<T> us = rows_of(u, E, cut.steps, chunk);
            const Rows<T> selections = direction.selection.data != nullptr
                                           ? Rows<T>(direction.selection)
                                           : rows_of(selection, selected, cut.steps, chunk);
            convolve(chunk, direction, inner.conv, select[d], us, selections);
            caduceus_scan scan = scan_of(a, direction, chunk, us, selections);
            scan.state = scan.last = carry;
            scan.y = part(y, chunk);
            scan.accumulate = d > 0;
            scan_forward(scan, inner.scan);
            if (d == a.directions - 1) project_out(chunk);
        }
    }

    void project_in(const Chunk& chunk) const {
        const Rows<const T> h(a.h);
        each_tile(a, chunk, false, 0, [&](const Tile& tile, void*) {
            product<false>(h.at(tile.b, tile.position), h.time, tile.count, in_x, bias_x, x.at(tile.b, tile.position),
                           x.time);
        });
    }

    void convolve(const Chunk& chunk, const caduceus_direction& direction, const ConvWeights<T>& weights,
                  const Weight<T>& selecting, const Rows<T>& us, const Rows<T>& selections) const {
        caduceus_conv conv = conv_of(a, direction, x);
        conv.y = {us.data, us.batch, us.time};
        each_tile(a, chunk, conv.reverse, conv_chunk_bytes<T>(conv), [&](const Tile& tile, void* scratch) {
            conv_chunk<T>(conv, weights, tile.b, Steps(tile.first, tile.first + tile.count), Arena(scratch));
            product<false, T>(us.at(tile.b, tile.position), us.time, tile.count, selecting, nullptr,
                              selections.at(tile.b, tile.position), selections.time);
        });
    }

    // out = out_proj(y silu(z)), where z = in_proj(h) is made here.
    void project_out(const Chunk& chunk) const {
        const Rows<const T> h(a.h);
        const Rows<T> outs(a.out), keep(a.z);
        const size_t bytes = 2 * Arena::bytes<T>(STAGE_ROWS * E);
        each_tile(a, chunk, false, bytes, [&](const Tile& tile, void* scratch) {
            T *own_z, *gated;
            Arena arena(scratch);
            take(arena, STAGE_ROWS * E, own_z, gated);
            const Rows<T> z = keep ? keep : Rows<T>({own_z - tile.position * E, 0, E});
            product<false>(h.at(tile.b, tile.position), h.time, tile.count, in_z, bias_z, z.at(tile.b, tile.position),
                           z.time);
            for (int64_t r = 0; r < tile.count; r++) {
                const int64_t p = tile.position + r;
                gate_row<T>(E, y.at(tile.b, p), z.at(tile.b, p), gated + r * E);
            }
            product<false>(gated, E, tile.count, out, bias_out, outs.at(tile.b, tile.position), outs.time);
        });
    }
};

template <class T>
void mamba_forward(const caduceus_mamba& a) {
    MambaForward<T> call(a);  // whose memory is there before threads start
    with_threads(a.threads, [&] { call.run(); });
}

}  // namespace CADUCEUS_ISA
