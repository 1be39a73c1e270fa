// What every kernel shares: typed rows, how channels are cut into groups and columns, and scratch memory.
//
// A column is one vector of channels; a group is a run of columns, the work of one task.
#pragma once

#include "abi.h"
#include "parallel.h"
#include "vector.h"

namespace CADUCEUS_ISA {

template <class T>
struct Rows {
    T* data;
    int64_t batch, time;

    Rows() : Rows(caduceus_rows{}) {}
    Rows(const caduceus_rows& r) : data(static_cast<T*>(r.data)), batch(r.batch), time(r.time) {}
    explicit operator bool() const { return data != nullptr; }
    T* at(int64_t b, int64_t t) const { return data + b * batch + t * time; }
};

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// Position of step i of a walk over `length` positions.
inline int64_t position(int64_t i, int64_t length, bool reverse) { return reverse ? length - 1 - i : i; }

// Number of groups, none of them empty, that ends the longest thread's work first; fewer where that is equal.
inline int64_t group_count(int64_t batch, int64_t columns, int64_t threads, int64_t most, int64_t least) {
    if (columns == 0) return 1;
    const int64_t fewest = ceil_div(columns, most);
    int64_t best = fewest, best_time = INT64_MAX;
    for (int64_t groups = fewest; groups <= larger(fewest, columns / least); groups++) {
        const int64_t time = ceil_div(batch * groups, threads) * ceil_div(columns, groups);
        if (time < best_time) best = groups, best_time = time;
    }
    return ceil_div(columns, ceil_div(columns, best));
}

// The columns of one group.
struct Group {
    int64_t channel, columns, channels;

    Group(int64_t index, int64_t groups, int64_t all_channels, int64_t width) {
        const int64_t all = ceil_div(all_channels, width), per_group = ceil_div(all, groups);
        const int64_t first = smaller(index * per_group, all);
        columns = smaller(per_group, all - first);
        channel = first * width;
        channels = smaller(columns * width, all_channels - channel);
    }
};

// f(column, lanes) for every column of a row of channels; `lanes` is constant but in a last, partial one.
template <int W, class F>
inline void each_column(int64_t channels, F f) {
    const int64_t whole = channels / W;
    _Pragma("GCC unroll 2") for (int64_t c = 0; c < whole; c++) f(c, int64_t(W));
    if (channels % W != 0) f(whole, channels % W);
}

// Up to four rows of the tile to come, for a recurrence to ask for, one position a step: they are too far apart for the
// processor to foresee.
template <class T>
struct Ahead {
    const T* row[4];
    int64_t time[4] = {0, 0, 0, 0};
    int count = 0;

    explicit Ahead(const T* none) : row{none, none, none, none} {}

    void add(const T* from, int64_t step) {
        row[count] = from;
        time[count++] = step;
    }
    __attribute__((always_inline)) void ask(int t) const {
        UNROLL for (int i = 0; i < 4; i++) __builtin_prefetch(row[i] + t * time[i], 0, 2);
    }
};

// A piece of scratch memory handed out in order, every array on its own cache line. One that starts at null measures.
class Arena {
    uintptr_t start, next;

  public:
    explicit Arena(void* memory) : start(reinterpret_cast<uintptr_t>(memory)), next(start) {}

    template <class T>
    static size_t bytes(int64_t count) {
        return (size_t(count) * sizeof(T) + 63) / 64 * 64;
    }

    size_t used() const { return next - start; }

    template <class T>
    T* take(int64_t count) {
        T* array = reinterpret_cast<T*>(next);
        next += bytes<T>(count);
        return array;
    }
};

template <class... Arrays>
inline void take(Arena& arena, int64_t count, Arrays*&... arrays) {
    ((arrays = arena.take<Arrays>(count)), ...);
}

// Sums over many rows, of parts over few: the rounding error grows with the number of parts.
template <class T>
struct Sums {
    const int64_t count;
    T *part, *total;

    Sums(Arena& arena, int64_t size) : count(size) {
        take(arena, count, part, total);
        memset(part, 0, size_t(count) * sizeof(T));
        memset(total, 0, size_t(count) * sizeof(T));
    }
    static size_t bytes(int64_t count) { return 2 * Arena::bytes<T>(count); }

    void fold() {
        for (int64_t i = 0; i < count; i++) total[i] += part[i], part[i] = 0;
    }
};

template <class F>
void for_each(int64_t tasks, int threads, size_t bytes, const F& task) {
    auto call = [](const void* f, int64_t i, void* scratch) { (*static_cast<const F*>(f))(i, scratch); };
    caduceus::parallel(tasks, threads, bytes, call, &task);
}

// The threads are started once for all stages of `body`.
template <class F>
void with_threads(int threads, const F& body) {
    caduceus::with_threads(threads, [](const void* f) { (*static_cast<const F*>(f))(); }, &body);
}

}  // namespace CADUCEUS_ISA
