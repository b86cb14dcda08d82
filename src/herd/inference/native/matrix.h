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

#include "vector.h"

#define GROUP 32
#define DEPTH 256 /* input channels per pass of the float kernels: 16 KiB of a panel stay in the first cache */
#define MOST_PANELS 4 /* of any tile */

enum { FLOAT32, BFLOAT16, INT8, FLOAT16 }; /* the last for keys and values only */

typedef struct {
    int32_t kind;
    int32_t n_out; /* output channels, padded to whole panels */
    int32_t n_in;  /* input channels, padded to whole groups where the weights are int8 */
    const void *values;
    const uint16_t *scales; /* float16 [panels][groups][16], int8 only */
} Matrix;

/* Integer activations: with VNNI, of either width, bytes, four in a dot product; else pairs of 16 bits. */
#if (defined(__AVX512VNNI__) && defined(__AVX512BW__)) || (defined(__AVXVNNI__) && !defined(__AVX512F__)) || defined(HERD_FOURS)
#define FOURS 1 /* HERD_FOURS with HERD_PLAIN: the layout of VNNI on a machine without it, for tests */
typedef int8_t narrow;
#else
#define FOURS 0
typedef int16_t narrow;
#endif
typedef narrow narrow_vec __attribute__((vector_size(sizeof(narrow) * LANES)));
#define STRIDE (FOURS ? 4 : 2) /* input channels that lie together for one output channel */

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

/* LANES whole numbers within a byte. */
INLINE void store_narrow(narrow *q, vec whole) {
#if defined(__AVX2__) && !defined(__AVX512F__) && !FOURS
    const __m256i wide = _mm256_cvtps_epi32((__m256)whole), pairs = _mm256_packs_epi32(wide, wide);
    _mm_storeu_si128((__m128i *)q, _mm256_castsi256_si128(_mm256_permute4x64_epi64(pairs, 8)));
#else
    const narrow_vec small = __builtin_convertvector(__builtin_convertvector(whole, ivec), narrow_vec);
    memcpy(q, &small, sizeof small);
#endif
}

INLINE void quantize_group(const float *x, narrow *q, float *scale, int32_t *offset, vec *nothing) {
    vec top = splat(0.0f);
    UNROLL for (int i = 0; i < GROUP; i += LANES) {
        top = vmax(top, vmax(load(x + i), -load(x + i)));
        *nothing += load(x + i) * splat(0.0f);
    }
    *scale = max_lanes(top) / 127.0f;
    const vec divisor = splat(*scale > 0.0f ? *scale : 1.0f);
    vec total = splat(0.0f);
    UNROLL for (int i = 0; i < GROUP; i += LANES) {
        const vec whole = round_even(load(x + i) / divisor);
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
    vec sum[TILE_ROWS][MOST_PANELS * VECS];
    UNROLL for (int m = 0; m < rows; m++)
        UNROLL for (int j = 0; j < panels * VECS; j++)
            sum[m][j] = first ? splat(0.0f) : load(out + (size_t)m * out_stride + j * LANES);
    for (int k = 0; k < depth; k++) {
        vec weight[MOST_PANELS * VECS];
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

/* Exact dot products: `ints` holds LANES int32 sums, `load_bytes` their weights of one step, and `dot` adds the
 * products of a step with the same four bytes of activations. */
#if defined(HERD_PLAIN)
#define VECTOR_DOTS 0
#elif FOURS || defined(__AVX512BW__) || (defined(__AVX2__) && !defined(__AVX512F__))
#define VECTOR_DOTS 1
#else
#define VECTOR_DOTS 0
#endif

#if !VECTOR_DOTS
typedef ivec ints;
typedef const int8_t *bytes;
INLINE ints start_dots(int32_t from) { return from - (ivec){0}; }
INLINE bytes load_bytes(const int8_t *w) { return w; }
INLINE ints dot(ints sum, bytes w, const narrow *q) {
    for (int i = 0; i < LANES; i++)
        for (int k = 0; k < STRIDE; k++) {
            const int8_t byte = w[i * STRIDE + k];
            sum[i] += (FOURS ? (int32_t)(uint8_t)byte : (int32_t)byte) * q[k];
        }
    return sum;
}
INLINE vec as_float(ints x) { return __builtin_convertvector(x, vec); }
#elif defined(__AVX512F__)
typedef __m512i ints;
typedef __m512i bytes;
INLINE ints start_dots(int32_t from) { return _mm512_set1_epi32(from); }
INLINE ints four_bytes(const narrow *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return _mm512_set1_epi32(four);
}
#if FOURS
INLINE bytes load_bytes(const int8_t *w) { return _mm512_loadu_si512(w); }
INLINE ints dot(ints sum, bytes w, const narrow *q) { return _mm512_dpbusd_epi32(sum, w, four_bytes(q)); }
#else
INLINE bytes load_bytes(const int8_t *w) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)w)); }
INLINE ints dot(ints sum, bytes w, const narrow *q) { return _mm512_add_epi32(sum, _mm512_madd_epi16(w, four_bytes(q))); }
#endif
INLINE vec as_float(ints x) { return (vec)_mm512_cvtepi32_ps(x); }
#else
typedef __m256i ints;
typedef __m256i bytes;
INLINE ints start_dots(int32_t from) { return _mm256_set1_epi32(from); }
INLINE ints four_bytes(const narrow *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return _mm256_set1_epi32(four);
}
#if FOURS
INLINE bytes load_bytes(const int8_t *w) { return _mm256_loadu_si256((const __m256i *)w); }
INLINE ints dot(ints sum, bytes w, const narrow *q) { return _mm256_dpbusd_avx_epi32(sum, w, four_bytes(q)); }
#else
INLINE bytes load_bytes(const int8_t *w) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w)); }
INLINE ints dot(ints sum, bytes w, const narrow *q) { return _mm256_add_epi32(sum, _mm256_madd_epi16(w, four_bytes(q))); }
#endif
INLINE vec as_float(ints x) { return (vec)_mm256_cvtepi32_ps(x); }
#endif

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
                whole[m][j] = start_dots(FOURS ? in->offset[(size_t)(m0 + m) * groups + g] : 0);
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

#define EACH_HEIGHT(CALL)                                                                                                    \
    switch (rows) {                                                                                                          \
        case 1: CALL(1); break;                                                                                              \
        case 2: CALL(2); break;                                                                                              \
        EACH_TALLER_HEIGHT(CALL)                                                                                             \
    }
#if TILE_ROWS >= 6
#define EACH_SIX(CALL)                                                                                                       \
    case 3: CALL(3); break;                                                                                                  \
    case 4: CALL(4); break;                                                                                                  \
    case 5: CALL(5); break;                                                                                                  \
    case 6: CALL(6); break;
#else
#define EACH_SIX(CALL)
#endif
#if TILE_ROWS >= 12
#define EACH_TALLER_HEIGHT(CALL)                                                                                             \
    EACH_SIX(CALL)                                                                                                           \
    case 7: CALL(7); break;                                                                                                  \
    case 8: CALL(8); break;                                                                                                  \
    case 9: CALL(9); break;                                                                                                  \
    case 10: CALL(10); break;                                                                                                \
    case 11: CALL(11); break;                                                                                                \
    case 12: CALL(12); break;
#else
#define EACH_TALLER_HEIGHT(CALL) EACH_SIX(CALL)
#endif

#define EACH_HEIGHT_OF_SPAN(CALL)                                                                                            \
    switch (rows) {                                                                                                          \
        case 1: CALL(1); break;                                                                                              \
        case 2: CALL(2); break;                                                                                              \
        EACH_SIX(CALL)                                                                                                       \
    }

static void float_rows(int rows, int panels, int kind, const void *const *w, size_t at, const float *x, int stride, int depth,
                       float *out, int out_stride, int first) {
#define CALL_WITH(R, P, KIND) float_tile(R, P, KIND, w, at, x, stride, depth, out, out_stride, first)
#define CALL(R) CALL_WITH(R, TILE_PANELS, FLOAT32)
    if (kind == FLOAT32 && panels == TILE_PANELS) EACH_HEIGHT(CALL)
#undef CALL
#define CALL(R) CALL_WITH(R, TILE_PANELS, BFLOAT16)
    if (kind == BFLOAT16 && panels == TILE_PANELS) EACH_HEIGHT(CALL)
#undef CALL
#define CALL(R) CALL_WITH(R, 1, FLOAT32)
    if (kind == FLOAT32 && panels < TILE_PANELS) EACH_HEIGHT(CALL)
#undef CALL
#define CALL(R) CALL_WITH(R, 1, BFLOAT16)
    if (kind == BFLOAT16 && panels < TILE_PANELS) EACH_HEIGHT(CALL)
#undef CALL
#undef CALL_WITH
}

static void int8_rows(int rows, int panels, const Matrix *matrix, int panel, const Rows *in, int m0, int calls_next, float *out, int out_stride) {
#define CALL(R) int8_tile(R <= INT8_ROWS ? R : 1, TILE_PANELS, matrix, panel, in, m0, calls_next, out, out_stride)
    if (panels == TILE_PANELS) EACH_HEIGHT(CALL)
#undef CALL
#define CALL(R) int8_tile(R <= INT8_ROWS ? R : 1, 1, matrix, panel, in, m0, calls_next, out, out_stride)
    if (panels < TILE_PANELS) EACH_HEIGHT(CALL)
#undef CALL
}

/* The products of rows m0 to m1 with one tile of panels, `panels` being TILE_PANELS or, at the end, 1. */
static void multiply_tile(const Matrix *matrix, int panel, int panels, int calls_next, const Rows *in, int m0, int m1, float *out,
                          int out_stride) {
    if (matrix->kind == INT8) {
        for (int m = m0; m < m1; m += INT8_ROWS)
            int8_rows(m1 - m < INT8_ROWS ? m1 - m : INT8_ROWS, panels, matrix, panel, in, m, calls_next && m == m0, out + (size_t)(m - m0) * out_stride, out_stride);
        return;
    }
    const size_t width = matrix->kind == FLOAT32 ? sizeof(float) : sizeof(uint16_t);
    const void *w[TILE_PANELS];
    for (int p = 0; p < panels; p++) w[p] = (const char *)matrix->values + (size_t)(panel + p) * matrix->n_in * PANEL * width;
    for (int k = 0; k < matrix->n_in; k += DEPTH) {
        const int depth = matrix->n_in - k < DEPTH ? matrix->n_in - k : DEPTH;
        for (int m = m0; m < m1; m += TILE_ROWS)
            float_rows(m1 - m < TILE_ROWS ? m1 - m : TILE_ROWS, panels, matrix->kind, w, (size_t)k * PANEL, in->x + (size_t)m * in->stride + k,
                       in->stride, depth, out + (size_t)(m - m0) * out_stride, out_stride, k == 0);
    }
}

/* out[m][0..16 n) = output channels of the panels [p0, p0 + n) for rows m0 to m1; `out` points at row m0. What is `next`
 * after them, up to there, is called to the caches meanwhile: while rows are multiplied memory would idle. */
static void multiply_panels(const Matrix *matrix, int p0, int n, int next, const Rows *in, int m0, int m1, float *out, int out_stride) {
    for (int p = 0, panels; p < n; p += panels) {
        panels = n - p < TILE_PANELS ? 1 : TILE_PANELS;
        multiply_tile(matrix, p0 + p, panels, p0 + p + 2 * panels <= next, in, m0, m1, out + p * PANEL, out_stride);
    }
}

#endif
