/* Weights in panels of 16 output channels, and their products with rows of activations.
 *
 * In: a packed matrix, rows of activations (float, and quantized where the weights are). Out: rows of
 * products. Never: a result that depends on how many rows are computed together: every output is one sum
 * over the input channels in ascending order, whatever the tile.
 *
 * float32, bfloat16: per panel, per input channel, 16 values.
 * int8: per panel, per group of 32 input channels, 512 bytes and 16 float16 scales. Activations are int8
 * with one float32 scale per row and group; the sum inside a group is exact in integers.
 */
#ifndef HERD_MATRIX_H
#define HERD_MATRIX_H

#include "dots.h"

#define GROUP 32
#define DEPTH 256 /* input channels per pass of the float kernels: 16 KiB of a panel stay in the first cache */

enum { FLOAT32, BFLOAT16, INT8, FLOAT16 }; /* the last for keys and values only */

typedef struct {
    int32_t kind;
    int32_t n_out; /* output channels, padded to whole panels */
    int32_t n_in;  /* input channels, padded to whole groups where the weights are int8 */
    const void *values;
    const uint16_t *scales; /* float16 [panels][groups][16], int8 only */
} Matrix;

typedef struct {
    const float *x; /* [rows][stride] */
    int stride;
    const narrow *q; /* [rows][n_in] */
    const float *scale; /* [rows][groups] */
    const int32_t *offset; /* [rows][groups]: -128 times the sum of the group, for unsigned weights */
} Rows;

/* ---- packing: done once, when a model is loaded ---- */

static int panels_of(int n) { return (n + PANEL - 1) / PANEL; }

static void pack_float32(const float *w, int n_out, int n_in, float *packed) {
    for (int p = 0; p < panels_of(n_out); p++)
        for (int k = 0; k < n_in; k++)
            for (int r = 0; r < PANEL; r++) {
                const int n = p * PANEL + r;
                *packed++ = n < n_out ? w[(size_t)n * n_in + k] : 0.0f;
            }
}

static void pack_bfloat16(const uint16_t *w, int n_out, int n_in, uint16_t *packed) {
    for (int p = 0; p < panels_of(n_out); p++)
        for (int k = 0; k < n_in; k++)
            for (int r = 0; r < PANEL; r++) {
                const int n = p * PANEL + r;
                *packed++ = n < n_out ? w[(size_t)n * n_in + k] : 0;
            }
}

/* `q` is [n_out][n_in] with n_in a multiple of 32, `scale` float16 [n_out][n_in / 32]. */
static void pack_int8(const int8_t *q, const uint16_t *scale, int n_out, int n_in, int8_t *packed, uint16_t *scales) {
    const int groups = n_in / GROUP;
    for (int p = 0; p < panels_of(n_out); p++)
        for (int g = 0; g < groups; g++, packed += GROUP * PANEL)
            for (int r = 0; r < PANEL; r++) {
                const int n = p * PANEL + r;
                int8_t row[GROUP] = {0};
                if (n < n_out) memcpy(row, q + (size_t)n * n_in + g * GROUP, GROUP);
                if (FOURS) /* VNNI takes value + 128, unsigned */
                    for (int k = 0; k < GROUP; k++) row[k] = (int8_t)(row[k] ^ 0x80);
                UNROLL for (int k = 0; k < GROUP; k += STRIDE) memcpy(packed + k * PANEL + r * STRIDE, row + k, STRIDE);
                *scales++ = n < n_out ? scale[(size_t)n * groups + g] : 0;
            }
}

/* ---- quantizing activations: one row ---- */

INLINE void quantize_group(const float *x, narrow *q, float *scale, int32_t *offset, vec *nothing) {
    vec top = splat(0.0f);
    UNROLL for (int i = 0; i < GROUP; i += LANES) {
        top = vmax(top, vmax(load(x + i), -load(x + i)));
        *nothing += load(x + i) * splat(0.0f);
    }
    const float largest = max_lanes(top), steps = 127.0f / largest;
    *scale = largest / 127.0f;
    const vec factor = splat(steps < INFINITY ? steps : 0.0f); /* a product is faster than a division */
    vec total = splat(0.0f);
    UNROLL for (int i = 0; i < GROUP; i += LANES) {
        const vec whole = round_even(load(x + i) * factor);
        store_narrow(q + i, whole);
        total += whole;
    }
    if (FOURS) *offset = -128 * (int32_t)sum_lanes(total); /* small whole numbers: exact */
}

static void quantize_row(const float *x, int n, int n_padded, narrow *q, float *scale, int32_t *offset) {
    vec nothing = splat(0.0f); /* 0 times a number is 0; times NaN or infinity it is NaN, which a maximum may lose */
    int g = 0;
    for (; (g + 1) * GROUP <= n; g++) quantize_group(x + g * GROUP, q + g * GROUP, scale + g, offset + g, &nothing);
    for (; g < n_padded / GROUP; g++) {
        float group[GROUP] = {0};
        if (g * GROUP < n) memcpy(group, x + g * GROUP, sizeof(float) * (size_t)(n - g * GROUP));
        quantize_group(group, q + g * GROUP, scale + g, offset + g, &nothing);
    }
    scale[0] += sum_lanes(nothing); /* which makes all products of the row NaN */
}

/* ---- products: `rows` rows (a constant after inlining) with one panel ---- */

INLINE vec load_weight(const void *values, size_t index, int kind) {
    if (kind == FLOAT32) return load((const float *)values + index);
    if (kind == FLOAT16) return load_half((const uint16_t *)values + index);
    return load_bfloat((const uint16_t *)values + index);
}

/* out[m][..] = or += x[m] . the panels that begin at `w`, from their value `at` on */
INLINE void float_tile(const int rows, const int panels, const int kind, const void *const *w, size_t at, const float *x,
                       int stride, int depth, float *out, int out_stride, int first) {
    vec sum[TILE_ROWS][TILE_VECS];
    UNROLL for (int m = 0; m < rows; m++)
        UNROLL for (int j = 0; j < panels * VECS; j++)
            sum[m][j] = first ? splat(0.0f) : load(out + (size_t)m * out_stride + j * LANES);
    for (int k = 0; k < depth; k++) {
        vec weight[TILE_VECS];
        UNROLL for (int j = 0; j < panels * VECS; j++)
            weight[j] = load_weight(w[j / VECS], at + (size_t)k * PANEL + j % VECS * LANES, kind);
        UNROLL for (int m = 0; m < rows; m++) {
            const vec value = splat(x[(size_t)m * stride + k]);
            UNROLL for (int j = 0; j < panels * VECS; j++) sum[m][j] += weight[j] * value;
        }
    }
    UNROLL for (int m = 0; m < rows; m++)
        UNROLL for (int j = 0; j < panels * VECS; j++) store(out + (size_t)m * out_stride + j * LANES, sum[m][j]);
}

INLINE void int8_tile(const int rows, const int panels, const Matrix *matrix, int panel, const Rows *in, int m0, int calls_next, float *out,
                      int out_stride) {
    const int groups = matrix->n_in / GROUP, vecs = panels * VECS;
    const size_t panel_bytes = (size_t)groups * GROUP * PANEL, panel_scales = (size_t)groups * PANEL;
    const int8_t *w = (const int8_t *)matrix->values + panel * panel_bytes;
    const uint16_t *scales = matrix->scales + panel * panel_scales;
    vec sum[INT8_ROWS][TILE_VECS];
    UNROLL for (int m = 0; m < rows; m++)
        UNROLL for (int j = 0; j < vecs; j++) sum[m][j] = splat(0.0f);
    for (int g = 0; g < groups; g++, w += GROUP * PANEL, scales += PANEL) {
        const narrow *q = in->q + (size_t)m0 * matrix->n_in + g * GROUP;
        if (calls_next)
            UNROLL for (int j = 0; j < panels; j++)
                for (int i = 0; i < GROUP * PANEL; i += 64) __builtin_prefetch(w + (panels + j) * panel_bytes + i, 0, 2);
        ints whole[INT8_ROWS][TILE_VECS];
        UNROLL for (int m = 0; m < rows; m++)
            UNROLL for (int j = 0; j < vecs; j++)
                whole[m][j] = all_lanes(FOURS ? in->offset[(size_t)(m0 + m) * groups + g] : 0);
        INT8_UNROLL for (int k = 0; k < GROUP; k += STRIDE) {
            bytes weight[TILE_VECS];
            UNROLL for (int j = 0; j < vecs; j++)
                weight[j] = load_bytes(w + j / VECS * panel_bytes + k * PANEL + j % VECS * LANES * STRIDE);
            UNROLL for (int m = 0; m < rows; m++)
                UNROLL for (int j = 0; j < vecs; j++)
                    whole[m][j] = dot(whole[m][j], weight[j], q + (size_t)m * matrix->n_in + k);
        }
        UNROLL for (int j = 0; j < vecs; j++) {
            const vec scale = load_half(scales + j / VECS * panel_scales + j % VECS * LANES);
            UNROLL for (int m = 0; m < rows; m++)
                sum[m][j] += as_float(whole[m][j]) * (scale * splat(in->scale[(size_t)(m0 + m) * groups + g]));
        }
        if (2 * rows * vecs + vecs + 1 > REGISTERS) /* let the integers have them: the loop above is theirs */
            UNROLL for (int m = 0; m < rows; m++)
                UNROLL for (int j = 0; j < vecs; j++) __asm__ volatile("" : "+m"(sum[m][j]));
    }
    UNROLL for (int m = 0; m < rows; m++)
        UNROLL for (int j = 0; j < vecs; j++) store(out + (size_t)m * out_stride + j * LANES, sum[m][j]);
}

/* CALL(rows) with `rows` a constant, for up to MOST of them. */
#define HEIGHT(N, MOST, CALL)                                                                                                \
    case N:                                                                                                                  \
        if (N <= MOST) CALL((N <= MOST ? N : 1));                                                                            \
        break;
#define EACH_HEIGHT(MOST, CALL)                                                                                              \
    switch (rows) {                                                                                                          \
        HEIGHT(1, MOST, CALL)                                                                                                \
        HEIGHT(2, MOST, CALL)                                                                                                \
        HEIGHT(3, MOST, CALL)                                                                                                \
        HEIGHT(4, MOST, CALL)                                                                                                \
        HEIGHT(5, MOST, CALL)                                                                                                \
        HEIGHT(6, MOST, CALL)                                                                                                \
        HEIGHT(7, MOST, CALL)                                                                                                \
        HEIGHT(8, MOST, CALL)                                                                                                \
        HEIGHT(9, MOST, CALL)                                                                                                \
        HEIGHT(10, MOST, CALL)                                                                                               \
        HEIGHT(11, MOST, CALL)                                                                                               \
        HEIGHT(12, MOST, CALL)                                                                                               \
    }

static void float_rows(int rows, int panels, int kind, const void *const *w, size_t at, const float *x, int stride, int depth,
                       float *out, int out_stride, int first) {
#define CALL_WITH(R, P, KIND) float_tile(R, P, KIND, w, at, x, stride, depth, out, out_stride, first)
#define CALL(R) CALL_WITH(R, TILE_PANELS, FLOAT32)
    if (kind == FLOAT32 && panels == TILE_PANELS) EACH_HEIGHT(TILE_ROWS, CALL)
#undef CALL
#define CALL(R) CALL_WITH(R, TILE_PANELS, BFLOAT16)
    if (kind == BFLOAT16 && panels == TILE_PANELS) EACH_HEIGHT(TILE_ROWS, CALL)
#undef CALL
#define CALL(R) CALL_WITH(R, 1, FLOAT32)
    if (kind == FLOAT32 && panels < TILE_PANELS) EACH_HEIGHT(TILE_ROWS, CALL)
#undef CALL
#define CALL(R) CALL_WITH(R, 1, BFLOAT16)
    if (kind == BFLOAT16 && panels < TILE_PANELS) EACH_HEIGHT(TILE_ROWS, CALL)
#undef CALL
#undef CALL_WITH
}

static void int8_rows(int rows, int panels, const Matrix *matrix, int panel, const Rows *in, int m0, int calls_next, float *out, int out_stride) {
#define CALL(R) int8_tile(R, TILE_PANELS, matrix, panel, in, m0, calls_next, out, out_stride)
    if (panels == TILE_PANELS) EACH_HEIGHT(INT8_ROWS, CALL)
#undef CALL
#define CALL(R) int8_tile(R, 1, matrix, panel, in, m0, calls_next, out, out_stride)
    if (panels < TILE_PANELS) EACH_HEIGHT(INT8_ROWS, CALL)
#undef CALL
}

/* The products of rows m0 to m1 with one tile of panels, `panels` being TILE_PANELS or, at the end, 1. */
static void multiply_tile(const Matrix *matrix, int panel, int panels, int calls_next, const Rows *in, int m0, int m1, float *out,
                          int out_stride) {
    if (matrix->kind == INT8) {
        for (int m = m0; m < m1; m += INT8_ROWS)
            int8_rows(at_most(m1 - m, INT8_ROWS), panels, matrix, panel, in, m, calls_next && m == m0,
                      out + (size_t)(m - m0) * out_stride, out_stride);
        return;
    }
    const size_t width = matrix->kind == FLOAT32 ? sizeof(float) : sizeof(uint16_t);
    const void *w[TILE_PANELS];
    for (int p = 0; p < panels; p++) w[p] = (const char *)matrix->values + (size_t)(panel + p) * matrix->n_in * PANEL * width;
    for (int k = 0; k < matrix->n_in; k += DEPTH)
        for (int m = m0; m < m1; m += TILE_ROWS)
            float_rows(at_most(m1 - m, TILE_ROWS), panels, matrix->kind, w, (size_t)k * PANEL, in->x + (size_t)m * in->stride + k,
                       in->stride, at_most(matrix->n_in - k, DEPTH), out + (size_t)(m - m0) * out_stride, out_stride, k == 0);
}

/* out[m][0..16 n) = output channels of the panels [p0, p0 + n) for rows m0 to m1; `out` points at row m0. Of what comes
 * after them, up to `end`, the next tile is called to the caches meanwhile: while rows are multiplied memory would idle. */
static void multiply_panels(const Matrix *matrix, int p0, int n, int end, const Rows *in, int m0, int m1, float *out, int out_stride) {
    for (int p = 0, panels; p < n; p += panels) {
        panels = n - p < TILE_PANELS ? 1 : TILE_PANELS;
        multiply_tile(matrix, p0 + p, panels, p0 + p + 2 * panels <= end, in, m0, m1, out + p * PANEL, out_stride);
    }
}

#endif
