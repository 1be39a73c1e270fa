// The interface of the library: plain C, no pointer kept after a call. Python mirrors these structs in `library.py`.
//
// B batch, L length, E channels, N states, K taps. All arrays of one call are float32, or all float64 (`wide`).
#pragma once

#include <stdint.h>

extern "C" {

// A (B, L, .) array whose last axis is contiguous: element (b, t, c) is at data[b * batch + t * time + c].
// `data` is null where an optional array is absent.
typedef struct {
    void* data;
    int64_t batch, time;
} caduceus_rows;

// The selective scan of `caduceus.interfaces.Scan`; arrays that are no rows are contiguous.
typedef struct {
    int32_t wide, threads, reverse, softplus;
    int32_t accumulate;  // add what y holds before the gate: the gate of two directions is applied once, to their sum
    int32_t unused;
    int64_t batch, length, channels, states;
    caduceus_rows u, dt, B, C, z, y;
    caduceus_rows mask;                            // bytes, 1 at valid positions; optional
    const void *A, *D, *dt_bias, *state;           // (E, N), (E), (E), (B, N, E); all but A optional
    void* last;                                    // (B, N, E), optional
    caduceus_rows checkpoints;                     // (B, ceil(L / tile), N E): the state before each tile; optional
} caduceus_scan;

// Its gradients, given the same arrays (y is not read) and the checkpoints that the forward wrote.
typedef struct {
    caduceus_scan scan;
    caduceus_rows dy, du, ddt, dz;
    void *dB, *dC;                        // (groups, B, L, N): partial sums over groups of channels
    void *dA, *dD, *ddt_bias;             // (B, N, E), (B, E), (B, E): partial sums; all but dA optional
    const void* dlast;                    // (B, N, E), optional
    void* dstate;                         // (B, N, E), optional
} caduceus_scan_gradients;

// Depthwise convolution of `caduceus.interfaces.Backend.causal_conv`.
typedef struct {
    int32_t wide, threads, reverse, silu;
    int64_t batch, length, channels, taps;
    caduceus_rows x, y, mask;
    const void *weight, *bias, *state;  // (E, K), (E), (B, E, K - 1); bias and state optional
    void* last;                         // (B, E, K - 1), optional
} caduceus_conv;

typedef struct {
    caduceus_conv conv;
    caduceus_rows dy, dx;
    const void* dlast;        // (B, E, K - 1), optional
    void *dweight, *dbias;    // (B * chunks, E, K), (B * chunks, E): partial sums; dbias optional
    void* dstate;             // (B, E, K - 1), optional
    int64_t chunks;           // of the length
    int32_t accumulate, unused;  // accumulate: add to what dx holds
} caduceus_conv_gradients;

// total = x + residual; normed = norm(total) weight + bias. Rows of `channels`, all contiguous.
typedef struct {
    int32_t wide, threads, centred;  // centred: subtract the mean (layer norm), else root mean square
    int32_t unused;
    int64_t rows, channels;
    double eps;
    const void *x, *residual, *weight, *bias;  // residual and bias optional
    void *normed, *total;                      // total only with a residual
} caduceus_norm;

typedef struct {
    caduceus_norm norm;            // x is the total; residual, bias, normed and total are not used
    const void *dnormed, *dtotal;  // dtotal optional
    void *dx, *dweight, *dbias;    // (rows, E), (parts, E), (parts, E): partial sums; dbias optional
    int64_t parts;                 // of the rows
} caduceus_norm_gradients;

// One direction of a Mamba: what lies between in_proj and the gate. R numbers a position give dt.
typedef struct {
    int32_t reverse, unused;
    const void *conv_weight, *conv_bias;          // (E, K), (E); the bias optional
    const void *x_proj, *dt_proj;                 // (R + 2N, E), (E, R)
    const void *dt_bias, *A, *D;                  // (E), (E, N), (E)
    caduceus_rows selection;                      // (B, L, R + 2N): x_proj's dt, B, C; kept for the backward, optional
    caduceus_rows checkpoints;                    // as in caduceus_scan; optional
} caduceus_direction;

// A Mamba, or two that share in_proj and out_proj and walk opposite ways; C channels outside, E inside.
//
//     x, z = in_proj(h)      y = sum over the directions of scan(conv(x))      out = out_proj(y silu(z))
//
// The bias of out_proj is added once for each direction.
typedef struct {
    int32_t wide, threads, directions, unused;
    int64_t batch, length, outer, channels, states, taps, rank;
    caduceus_rows h, out, mask;
    caduceus_rows x, z, y;                               // (B, L, E), kept for the backward; optional
    const void *in_proj, *in_bias, *out_proj, *out_bias;  // (2E, C), (2E), (C, E), (C); biases optional
    caduceus_direction direction[2];
} caduceus_mamba;

// Sums over all positions, one for each weight of the direction.
typedef struct {
    void *conv_weight, *conv_bias, *x_proj, *dt_proj, *dt_bias, *A, *D;  // dt_proj as (R, E), A as (N, E)
} caduceus_direction_gradients;

// Given the same arrays, with everything that the forward kept (out is not read).
typedef struct {
    caduceus_mamba mamba;
    caduceus_rows dout, dh;
    void *in_proj, *out_proj;  // (C + 1, 2E), its last row the gradient of in_bias; (C, E)
    caduceus_direction_gradients direction[2];
} caduceus_mamba_gradients;

// Raised with every change to this file; `library.py` refuses a library with another.
#define CADUCEUS_ABI 5
int caduceus_abi(void);

// Instruction sets, fastest first; `target` below is an index into them.
int caduceus_targets(void);
const char* caduceus_target_name(int target);
int caduceus_target_runs(int target);  // whether this processor has it
int caduceus_openmp(void);             // whether threads are OpenMP's

int64_t caduceus_scan_tile(void);
int64_t caduceus_most_taps(void);  // of the convolution in caduceus_mamba
int64_t caduceus_scan_groups(int target, const caduceus_scan* scan);

// Bytes of memory for their work that the system did not give, their outputs then to be thrown away; 0 if all is done.
int64_t caduceus_scan_forward(int target, const caduceus_scan* scan);
int64_t caduceus_scan_backward(int target, const caduceus_scan_gradients* gradients);
int64_t caduceus_conv_forward(int target, const caduceus_conv* conv);
int64_t caduceus_conv_backward(int target, const caduceus_conv_gradients* gradients);
int64_t caduceus_norm_forward(int target, const caduceus_norm* norm);
int64_t caduceus_norm_backward(int target, const caduceus_norm_gradients* gradients);
int64_t caduceus_mamba_forward(int target, const caduceus_mamba* mamba);
int64_t caduceus_mamba_backward(int target, const caduceus_mamba_gradients* gradients);

// What this processor does at most in float32, measured for about `seconds`, on `threads` threads at once: FLOP a second
// (a multiply-add is two), exponentials a second, bytes a second to and from arrays of `bytes` bytes in all (triad: two
// read and one written; read: one). 0 if there is no such memory.
enum { CADUCEUS_LIMIT_FMA, CADUCEUS_LIMIT_EXP, CADUCEUS_LIMIT_TRIAD, CADUCEUS_LIMIT_READ };
double caduceus_limit(int target, int which, int threads, int64_t bytes, double seconds);
}
