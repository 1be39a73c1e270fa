// Products of matrices: rows by a weight, and the gradient of a weight.
//
//     y[r, n] = bias[n] + sum_k x[r, k] w[n, k]            dw[n, k] += sum_r dy[r, n] x[r, k]
//
// One factor is packed into panels of PANEL columns, which a tile of SUM_ROWS rows walks with all its sums in registers.
// A sum runs over its whole depth in order, so a row's values do not depend on which rows are computed beside it.
#pragma once

#include "task.h"

namespace CADUCEUS_ISA {

constexpr int SUM_ROWS = BYTES == 64 ? 12 : 6, SUM_VECTORS = 2;  // as many sums as there are registers for
template <class T>
constexpr int PANEL = SUM_VECTORS * WIDTH<T>;

// Panels (ceil(columns / P), depth, P) of a matrix (depth, columns); columns past the last are zero.
template <class T, int P>
struct Panels {
    T* data;
    int64_t depth, columns;

    Panels(int64_t most, int64_t width) : data(nullptr), depth(most), columns(width) {}
    void place(Arena& arena) { data = arena.take<T>(count() * P * depth); }
    T* panel(int64_t i) const { return data + i * depth * P; }
    int64_t count() const { return ceil_div(columns, P); }

    // Elements (k, c), k in [first, first + rows), from `from[(k - first) * row + c * column]`.
    void pack(const T* from, int64_t row, int64_t column, int64_t first, int64_t rows) const {
        for (int64_t i = 0; i < count(); i++) pack_panel(i, from, row, column, first, rows);
    }

    void pack_panel(int64_t i, const T* from, int64_t row, int64_t column, int64_t first, int64_t rows) const {
        const int64_t lanes = smaller(P, columns - i * P);
        from += i * P * column;
        for (int64_t k = 0; k < rows; k++, from += row) {
            T* to = panel(i) + (first + k) * P;
            __builtin_prefetch(from + 8 * row);  // rows lie too far apart for the processor to foresee
            for (int64_t c = 0; c < lanes; c++) to[c] = from[c * column];
            for (int64_t c = lanes; c < P; c++) to[c] = T(0);
        }
    }
};

template <class T>
using Weight = Panels<T, PANEL<T>>;   // the factor whose columns are in vectors
template <class T>
using Columns = Panels<T, SUM_ROWS>;  // the factor whose columns are broadcast

// y[i, :] (+)= bias + sum_k rows[i][k * step] panel[k, :] for the first `count` of SUM_ROWS rows and `lanes` columns.
template <bool ADD, class T>
inline void product_tile(const T* const* rows, int64_t step, const T* panel, int64_t depth, const T* bias, T* y,
                         int64_t y_row, int64_t count, int64_t lanes) {
    using V = Vec<T>;
    constexpr int W = WIDTH<T>, M = SUM_ROWS, N = SUM_VECTORS;
    V sum[M][N];
    const T* row[M];
    UNROLL for (int i = 0; i < M; i++) {
        row[i] = rows[i];
        UNROLL for (int j = 0; j < N; j++) sum[i][j] = bias == nullptr ? V{} : load(bias + j * W);
    }
    for (int64_t k = 0; k < depth; k++) {
        V w[N];
        UNROLL for (int j = 0; j < N; j++) w[j] = load(panel + (k * N + j) * W);
        UNROLL for (int i = 0; i < M; i++) {
            const V x = broadcast(row[i][k * step]);
            UNROLL for (int j = 0; j < N; j++) sum[i][j] = fma(x, w[j], sum[i][j]);
        }
    }
    UNROLL for (int i = 0; i < M; i++) {
        if (i >= count) return;
        UNROLL for (int j = 0; j < N; j++) {
            const int64_t left = lanes - j * W;
            if (left <= 0) continue;
            T* to = y + i * y_row + j * W;
            store(to, ADD ? load(to, left) + sum[i][j] : sum[i][j], left);
        }
    }
}

// y (rows, w.columns) (+)= x (rows, w.depth) by the packed weight; `bias` has whole panels, or is null.
template <bool ADD, class T>
void product(const T* x, int64_t x_row, int64_t rows, const Weight<T>& w, const T* bias, T* y, int64_t y_row) {
    for (int64_t p = 0; p < w.count(); p++) {
        const int64_t column = p * PANEL<T>, lanes = w.columns - column;
        for (int64_t r = 0; r < rows; r += SUM_ROWS) {
            const T* row[SUM_ROWS];
            for (int64_t i = 0; i < SUM_ROWS; i++) row[i] = x + smaller(r + i, rows - 1) * x_row;
            product_tile<ADD>(row, 1, w.panel(p), w.depth, bias == nullptr ? nullptr : bias + column,
                              y + r * y_row + column, y_row, rows - r, lanes);
        }
    }
}

// One panel of w: sums[c, :] += sum_k rows[k, c] w[k, :] over the first `depth` k, in blocks that stay in a first-level
// cache.
template <class T>
void add_products(const Columns<T>& rows, const Weight<T>& w, int64_t panel, int64_t depth, void* total, int64_t sums_row) {
    T* sums = static_cast<T*>(total);
    constexpr int64_t BLOCK = 384;
    const int64_t column = panel * PANEL<T>;
    for (int64_t k = 0; k < depth; k += BLOCK) {
        for (int64_t p = 0; p < rows.count(); p++) {
            const T* row[SUM_ROWS];
            for (int64_t i = 0; i < SUM_ROWS; i++) row[i] = rows.panel(p) + k * SUM_ROWS + i;
            product_tile<true, T>(row, SUM_ROWS, w.panel(panel) + k * PANEL<T>, smaller(BLOCK, depth - k), nullptr,
                                  sums + p * SUM_ROWS * sums_row + column, sums_row, rows.columns - p * SUM_ROWS,
                                  w.columns - column);
        }
    }
}

// sums[c] += sum_k w[k, c] for the columns of one panel.
template <class T>
void add_rows(const Weight<T>& w, int64_t panel, int64_t depth, T* sums) {
    for (int64_t c = 0; c < smaller(PANEL<T>, w.columns - panel * PANEL<T>); c++) {
        T sum = 0;
        for (int64_t k = 0; k < depth; k++) sum += w.panel(panel)[k * PANEL<T> + c];
        sums[panel * PANEL<T> + c] += sum;
    }
}

}  // namespace CADUCEUS_ISA
