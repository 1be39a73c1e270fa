// A Mamba backward; `abi.h` has the equation of the forward. With g = y silu(z):
//
//     dg = dout W_out         dy = dg silu(z)         dz = dg y silu'(z)
//     each direction, from its last chunk to its first: u = conv(x) again; the scan's backward: du, ddelta, dB, dC
//         dselection = (ddelta W_dt, dB, dC)         du += dselection W_x         dx += the convolution's backward of du
//     dh = (dx, dz) W_in
//
// The gradient of a weight is a sum over the positions of its input times the adjoint of its output.
#pragma once

#include "mamba_sums.h"

namespace CADUCEUS_ISA {

template <class T>
class MambaBackward {
    const caduceus_mamba_gradients& g;
    const caduceus_mamba& a;
    const Cut cut;
    const int64_t E, N, S, before;  // S: R + 2N; before: K - 1
    Weight<T> out, in_x, in_z, select[2], dt_proj[2];
    Factors<T> factors;
    Parts<T> parts;
    char* inner_memory;
    T *own_dy, *own_dz, *own_dx;           // (rows, L, E) of one block of sequences
    T *own_u, *own_ddt, *own_dselection;   // of one chunk: (rows, steps, E or S)
    T *own_du;                             // (rows, steps + K - 1, E): those of the chunk and of the steps after it
    T *dB, *dC;                            // (groups, rows, steps, N)
    T* carry;                              // (rows, N, E)
    const caduceus::Workspace memory;
    Rows<T> x, y, z, dy, dz, dx;  // of the present block of sequences

  public:
    explicit MambaBackward(const caduceus_mamba_gradients& gradients)
        : g(gradients), a(g.mamba), cut(a), E(a.channels), N(a.states), S(a.rank + 2 * N), before(a.taps - 1),
          out(a.outer, E), in_x(E, a.outer), in_z(E, a.outer), select{{S, E}, {S, E}}, dt_proj{{E, a.rank}, {E, a.rank}},
          factors(a, cut.rows * cut.steps), parts(a, cut), memory(place(Arena(nullptr))), x(a.x), y(a.y), z(a.z) {
        place(Arena(memory.data));
    }

    void run() {
        pack_weights();
        clear_gradients<T>(g);
        Arena arena(inner_memory);
        const InnerWeights<T> inner[2] = {{a, a.direction[0], arena}, {a, a.direction[a.directions - 1], arena}};
        for (int64_t b = 0; b < a.batch; b += cut.rows) {
            dy = caduceus_rows{own_dy - b * a.length * E, a.length * E, E};
            dz = caduceus_rows{own_dz - b * a.length * E, a.length * E, E};
            dx = caduceus_rows{own_dx - b * a.length * E, a.length * E, E};
            for (int d = 0; d < a.directions; d++) walk(b, smaller(cut.rows, a.batch - b), d, inner[d]);
        }
    }

  private:
    void pack_weights() {
        pack(out, a.out_proj, E, 1, a.threads);
        pack(in_x, a.in_proj, a.outer, 1, a.threads);
        pack(in_z, static_cast<const T*>(a.in_proj) + E * a.outer, a.outer, 1, a.threads);
        for (int d = 0; d < a.directions; d++) {
            pack(select[d], a.direction[d].x_proj, E, 1, a.threads);
            pack(dt_proj[d], a.direction[d].dt_proj, a.rank, 1, a.threads);
        }
    }

    size_t place(Arena arena) {
        out.place(arena), in_x.place(arena), in_z.place(arena);
        for (int d = 0; d < 2; d++) select[d].place(arena), dt_proj[d].place(arena);
        factors.place(arena);
        parts.place(arena);
        const int64_t positions = cut.rows * cut.steps, steps = most_parts<T>(a, cut);
        take(arena, int64_t(2 * InnerWeights<T>::bytes(a)), inner_memory);
        take(arena, cut.rows * a.length * E, own_dy, own_dz, own_dx);
        take(arena, positions * E, own_u, own_ddt);
        take(arena, positions * S, own_dselection);
        take(arena, cut.rows * (cut.steps + before) * E, own_du);
        take(arena, steps, dB, dC);
        take(arena, cut.rows * N * E, carry);
        return arena.used();
    }

    void walk(int64_t b, int64_t rows, int d, const InnerWeights<T>& inner) {
        const bool reverse = a.direction[d].reverse;
        clear<T>(carry, rows * N * E);
        for (int64_t i = ceil_div(a.length, cut.steps) - 1; i >= 0; i--) {
            const Chunk chunk(b, rows, i * cut.steps, cut.steps, a.length, reverse);
            if (d == 0) gate(chunk);
            const Rows<T> u = rows_of(own_u, E, cut.steps, chunk), ddt = rows_of(own_ddt, E, cut.steps, chunk);
            Rows<T> du = rows_of(own_du, E, cut.steps + before, chunk);
            if (reverse) du.data += before * E;
            convolve(chunk, d, inner.conv, u);
            scan(chunk, d, inner.scan, u, du, ddt);
            select_back(chunk, d, u, du, ddt);
            add_sums(chunk, d, inner.conv, du);
            hand_on(chunk, reverse);
            if (d == a.directions - 1) finish(chunk);
        }
    }

    void gate(const Chunk& chunk) const {
        const Rows<const T> dout(g.dout);
        each_tile(a, chunk, false, 2 * Arena::bytes<T>(STAGE_ROWS * E), [&](const Tile& tile, void* scratch) {
            T *dg, *gated;
            Arena arena(scratch);
            take(arena, STAGE_ROWS * E, dg, gated);
            const T* from = dout.at(tile.b, tile.position);
            product<false, T>(from, dout.time, tile.count, out, nullptr, dg, E);
            for (int64_t r = 0; r < tile.count; r++) {
                const int64_t b = tile.b, p = tile.position + r;
                gate_row_backward<T>(E, y.at(b, p), z.at(b, p), dg + r * E, gated + r * E, dy.at(b, p), dz.at(b, p));
            }
            factors.dout.pack(from, dout.time, 1, tile.place, tile.count);
            factors.gated.pack(gated, E, 1, tile.place, tile.count);
        });
    }

    void convolve(const Chunk& chunk, int d, const ConvWeights<T>& weights, const Rows<T>& u) const {
        caduceus_conv conv = conv_of(a, a.direction[d], x);
        conv.y = {u.data, u.batch, u.time};
        each_tile(a, chunk, conv.reverse, conv_chunk_bytes<T>(conv), [&](const Tile& tile, void* scratch) {
            conv_chunk<T>(conv, weights, tile.b, Steps(tile.first, tile.first + tile.count), Arena(scratch));
        });
    }

    void scan(const Chunk& chunk, int d, const ScanWeights<T>& weights, const Rows<T>& u, const Rows<T>& du,
              const Rows<T>& ddt) const {
        caduceus_scan_gradients grads{};
        grads.scan = scan_of(a, a.direction[d], chunk, u, Rows<T>(a.direction[d].selection));
        grads.dy = part(dy, chunk), grads.du = part(du, chunk), grads.ddt = part(ddt, chunk);
        grads.dB = dB, grads.dC = dC, grads.dA = parts.A, grads.dD = parts.D, grads.ddt_bias = parts.dt_bias;
        grads.dlast = grads.dstate = carry;
        scan_backward(grads, weights);
    }

    void select_back(const Chunk& chunk, int d, const Rows<T>& u, const Rows<T>& du, const Rows<T>& ddt) const {
        const Rows<T> dselection = rows_of(own_dselection, S, cut.steps, chunk), selection(a.direction[d].selection);
        const int64_t groups = mamba_groups<T>(a, chunk.rows), apart = chunk.rows * chunk.steps * N;
        each_tile(a, chunk, false, 0, [&](const Tile& tile, void*) {
            const int64_t b = tile.b, p = tile.position, count = tile.count, at = tile.place;
            product<false, T>(ddt.at(b, p), E, count, dt_proj[d], nullptr, dselection.at(b, p), S);
            for (int64_t r = 0; r < count; r++) add_groups(groups, apart, at + r, dselection.at(b, p + r) + a.rank);
            product<true, T>(dselection.at(b, p), S, count, select[d], nullptr, du.at(b, p), E);
            factors.dselection.pack(dselection.at(b, p), S, 1, at, count);
            factors.dt.pack(selection.at(b, p), selection.time, 1, at, count);
            factors.u.pack(u.at(b, p), E, 1, at, count);
            factors.ddt.pack(ddt.at(b, p), E, 1, at, count);
        });
    }

    // dB and dC of one position, from the groups of channels, which lie `apart`.
    void add_groups(int64_t groups, int64_t apart, int64_t at, T* to) const {
        for (int64_t n = 0; n < 2 * N; n++) {
            const T* from = (n < N ? dB + n : dC + n - N) + at * N;
            T sum = from[0];
            for (int64_t group = 1; group < groups; group++) sum += from[group * apart];
            to[n] = sum;
        }
    }

    // The convolution's backward, and what this direction's part of the chunk adds to the gradients of the weights.
    void add_sums(const Chunk& chunk, int d, const ConvWeights<T>& weights, const Rows<T>& du) {
        caduceus_conv_gradients conv{};
        conv.conv = conv_of(a, a.direction[d], x);
        conv.dy = {du.data, du.batch, du.time}, conv.dx = {dx.data, dx.batch, dx.time};
        conv.dweight = parts.conv_weight, conv.dbias = parts.conv_bias, conv.accumulate = d > 0;
        const caduceus_direction_gradients& total = g.direction[d];
        const int64_t depth = chunk.rows * chunk.steps, tiles = chunk.rows * Tile::of(chunk);
        const int64_t panels = factors.u.count(), tasks = tiles + (d == 0 ? 3 : 2) * panels;
        for_each(tasks, a.threads, conv_chunk_backward_bytes<T>(conv.conv), [&](int64_t i, void* scratch) {
            if (i < tiles) {
                const Tile tile(chunk, i, conv.conv.reverse);
                const Steps steps(tile.first, tile.first + tile.count);
                return conv_chunk_backward<T>(conv, weights, tile.b, steps, i, Arena(scratch));
            }
            const int64_t panel = (i - tiles) % panels;
            switch ((i - tiles) / panels) {
                case 0: return add_products(factors.dselection, factors.u, panel, depth, total.x_proj, E);
                case 1: return add_products(factors.dt, factors.ddt, panel, depth, total.dt_proj, E);
                default: return add_products(factors.dout, factors.gated, panel, depth, g.out_proj, E);
            }
        });
        parts.add_to(total, chunk);
    }

    // The next chunk's convolution needs du of the first K - 1 steps of this one.
    void hand_on(const Chunk& chunk, bool reverse) const {
        const int64_t stride = (cut.steps + before) * E;
        for (int64_t b = 0; b < chunk.rows; b++) {
            for (int64_t i = 0; i < smaller(before, chunk.steps); i++) {
                const int64_t from = reverse ? before + chunk.steps - 1 - i : i;
                const int64_t to = reverse ? before - 1 - i : cut.steps + i;
                memcpy(own_du + b * stride + to * E, own_du + b * stride + from * E, size_t(E) * sizeof(T));
            }
        }
    }

    void finish(const Chunk& chunk) const {
        const Rows<const T> h(a.h);
        const Rows<T> dh(g.dh);
        each_tile(a, chunk, false, 0, [&](const Tile& tile, void*) {
            const int64_t b = tile.b, p = tile.position, at = tile.place;
            product<false, T>(dx.at(b, p), E, tile.count, in_x, nullptr, dh.at(b, p), dh.time);
            product<true, T>(dz.at(b, p), E, tile.count, in_z, nullptr, dh.at(b, p), dh.time);
            factors.h.pack(h.at(b, p), h.time, 1, at, tile.count);
            factors.dx.pack(dx.at(b, p), E, 1, at, tile.count);
            factors.dz.pack(dz.at(b, p), E, 1, at, tile.count);
        });
        const int64_t panels = factors.dx.count(), depth = chunk.rows * chunk.steps;
        T* total = static_cast<T*>(g.in_proj);
        for_each(2 * panels, a.threads, 0, [&](int64_t i, void*) {
            const Weight<T>& adjoint = i < panels ? factors.dx : factors.dz;
            T* to = total + (i < panels ? 0 : E);
            add_products(factors.h, adjoint, i % panels, depth, to, 2 * E);
            if (a.in_bias != nullptr) add_rows(adjoint, i % panels, depth, to + a.outer * 2 * E);
        });
    }
};

template <class T>
void mamba_backward(const caduceus_mamba_gradients& g) {
    MambaBackward<T> call(g);  // whose memory is there before threads start
    with_threads(g.mamba.threads, [&] { call.run(); });
}

}  // namespace CADUCEUS_ISA
