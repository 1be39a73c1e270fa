// What a Mamba's forward and backward share: its packed weights, and how its work is cut.
//
// The walk goes chunk by chunk, a chunk being a run of positions of a block of sequences, small enough that what is only
// handed on from stage to stage stays in the caches. A stage is cut into tasks, which all end before the next begins: a
// tile of positions where rows are independent, a group of channels where they follow one another. No value depends on
// the cut, as states are carried from chunk to chunk exactly.
#pragma once

#include <type_traits>

#include "conv.h"
#include "gate.h"
#include "product.h"
#include "scan_forward.h"

namespace CADUCEUS_ISA {

constexpr int64_t STAGE_ROWS = caduceus::STAGE_ROWS;
constexpr int64_t CHUNK_TILES = 16;  // of a chunk, for few threads
static_assert(STAGE_ROWS % SUM_ROWS == 0 && STAGE_ROWS % TILE == 0);

// Steps [first, first + steps) of a walk over sequences [batch, batch + rows).
struct Chunk {
    int64_t batch, rows, first, steps, low;  // low: the lowest of its positions

    Chunk(int64_t b, int64_t count, int64_t step, int64_t most, int64_t length, bool reverse)
        : batch(b), rows(count), first(step), steps(smaller(most, length - step)),
          low(reverse ? length - step - steps : step) {}
};

// One tile of a chunk: `count` positions from `position` of sequence `b`, the steps [first, first + count) of the walk;
// `place` is that of its first position among those of the chunk.
struct Tile {
    int64_t b, position, first, count, place;

    static int64_t of(const Chunk& c) { return ceil_div(c.steps, STAGE_ROWS); }
    Tile(const Chunk& c, int64_t index, bool reverse) : b(c.batch + index / of(c)) {
        const int64_t offset = index % of(c) * STAGE_ROWS;
        count = smaller(STAGE_ROWS, c.steps - offset);
        first = c.first + offset;
        position = c.low + (reverse ? c.steps - offset - count : offset);
        place = (b - c.batch) * c.steps + position - c.low;
    }
};

struct Cut {
    int64_t rows, steps;  // of a chunk, at most

    explicit Cut(const caduceus_mamba& a) {
        const int64_t tiles = larger(CHUNK_TILES, CHUNK_TILES / 2 * a.threads);
        rows = larger(1, smaller(a.batch, tiles));
        steps = smaller(larger(1, tiles / rows), larger(1, ceil_div(a.length, STAGE_ROWS))) * STAGE_ROWS;
    }
};

// A buffer of one chunk as rows of the whole array, to be read and written within the chunk only.
template <class T>
Rows<T> rows_of(T* buffer, int64_t width, int64_t steps, const Chunk& c) {
    return caduceus_rows{buffer - (c.batch * steps + c.low) * width, steps * width, width};
}

// The chunk's part of an array, as an array of its own.
template <class T>
caduceus_rows part(const Rows<T>& rows, const Chunk& c) {
    return {rows ? const_cast<std::remove_const_t<T>*>(rows.at(c.batch, c.low)) : nullptr, rows.batch, rows.time};
}

// The rows without their first `columns`.
template <class T>
Rows<T> shifted(Rows<T> rows, int64_t columns) {
    if (rows) rows.data += columns;
    return rows;
}

template <class T>
caduceus_conv conv_of(const caduceus_mamba& a, const caduceus_direction& d, const Rows<T>& x) {
    caduceus_conv conv{};
    conv.threads = a.threads, conv.reverse = d.reverse, conv.silu = 1;
    conv.batch = a.batch, conv.length = a.length, conv.channels = a.channels, conv.taps = a.taps;
    conv.x = {x.data, x.batch, x.time}, conv.mask = a.mask;
    conv.weight = d.conv_weight, conv.bias = d.conv_bias;
    return conv;
}

// The scan of one chunk, without its output.
template <class T>
caduceus_scan scan_of(const caduceus_mamba& a, const caduceus_direction& d, const Chunk& c, const Rows<T>& u,
                      const Rows<T>& selection) {
    caduceus_scan scan{};
    scan.threads = a.threads, scan.reverse = d.reverse, scan.softplus = 1;
    scan.batch = c.rows, scan.length = c.steps, scan.channels = a.channels, scan.states = a.states;
    scan.u = part(u, c), scan.mask = part(Rows<const uint8_t>(a.mask), c);
    scan.dt = part(selection, c);
    scan.B = part(shifted(selection, a.rank), c);
    scan.C = part(shifted(selection, a.rank + a.states), c);
    scan.A = d.A, scan.D = d.D, scan.dt_bias = d.dt_bias;
    if (d.checkpoints.data != nullptr) {
        const Rows<T> kept(d.checkpoints);
        scan.checkpoints = {kept.at(c.batch, c.first / TILE), kept.batch, kept.time};
    }
    return scan;
}

// Pack a whole weight on all threads; element (k, c) is at `from[k * row + c * column]`.
template <class T>
void pack(const Weight<T>& weight, const void* from, int64_t row, int64_t column, int threads) {
    for_each(weight.count(), threads, 0, [&](int64_t i, void*) {
        weight.pack_panel(i, static_cast<const T*>(from), row, column, 0, weight.depth);
    });
}

// The packed weights of one direction's convolution and scan.
template <class T>
struct InnerWeights {
    ConvWeights<T> conv;
    ScanWeights<T> scan;

    InnerWeights(const caduceus_mamba& a, const caduceus_direction& d, Arena& arena)
        : conv(conv_of<T>(a, d, Rows<T>()), arena),
          scan(scan_of<T>(a, d, Chunk(0, 0, 0, 0, 0, false), Rows<T>(), Rows<T>()),
               static_cast<const T*>(d.dt_proj), a.rank, arena) {}

    static size_t bytes(const caduceus_mamba& a) {
        return ConvWeights<T>::bytes(a.channels, a.taps) + ScanWeights<T>::bytes(a.channels, a.states, a.rank);
    }
};

// f(tile, scratch) for every tile of the chunk.
template <class F>
void each_tile(const caduceus_mamba& a, const Chunk& chunk, bool reverse, size_t bytes, const F& f) {
    for_each(chunk.rows * Tile::of(chunk), a.threads, bytes,
             [&](int64_t i, void* scratch) { f(Tile(chunk, i, reverse), scratch); });
}

}  // namespace CADUCEUS_ISA
