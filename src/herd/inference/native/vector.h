/* Vectors of the machine's own width, in plain C: 16 output channels are one panel of PANEL/LANES vectors.
 *
 * In: compiler macros. Out: `vec`, loads, stores, exp. Never: an operation whose result would depend on
 * how many rows are computed together; batch invariance rests on that. Unaligned loads are fine everywhere.
 */
#ifndef HERD_VECTOR_H
#define HERD_VECTOR_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define PANEL 16
#if defined(__AVX512F__)
#define LANES 16
#define LANE_NUMBERS ((ivec){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
#define REGISTERS 32
#define TILE_ROWS 12  /* rows of a register tile */
#define TILE_PANELS 2 /* and panels: a value of a row serves them all */
#define INT8_ROWS 4   /* fewer where integers are summed beside */
#define INT8_UNROLL _Pragma("GCC unroll 8")
#define SPAN_ROWS 6   /* of a tile of attention, */
#define SPAN_PANELS 4 /* with blocks of keys, or panels of channels */
#elif defined(__AVX2__)
#define LANES 8
#define LANE_NUMBERS ((ivec){0, 1, 2, 3, 4, 5, 6, 7})
#define REGISTERS 16
#define TILE_ROWS 6
#define SPAN_ROWS 6
#define SPAN_PANELS 1
#define TILE_PANELS 1
#define INT8_ROWS 4
#else
#define LANES 4
#define LANE_NUMBERS ((ivec){0, 1, 2, 3})
#define REGISTERS 16
#define TILE_ROWS 2
#define SPAN_ROWS 2
#define SPAN_PANELS 1
#define TILE_PANELS 1
#define INT8_ROWS 2
#endif
#define VECS (PANEL / LANES)
#define TILE_VECS (TILE_PANELS * VECS)

#define INLINE static inline __attribute__((always_inline))
INLINE int at_most(int n, int most) { return n < most ? n : most; }

#define UNROLL _Pragma("GCC unroll 32")
#ifndef INT8_UNROLL
#define INT8_UNROLL _Pragma("GCC unroll 2") /* more of it would need more registers than there are */
#endif

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float vec_at __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));
typedef int32_t ivec_at __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

INLINE vec load(const float *p) { return *(const vec_at *)p; }
INLINE void store(float *p, vec x) { *(vec_at *)p = x; }
INLINE vec splat(float x) { return x - (vec){0}; }

/* a where the mask is all ones, else b */
INLINE vec pick(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }

INLINE vec vmax(vec a, vec b) {
#if defined(__AVX512F__)
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return pick(a > b, a, b);
#endif
}

/* The upper half of the first n lanes, moved down; what lies above does not matter. */
INLINE vec upper_half(vec x, const int n) {
#if defined(__clang__)
    UNROLL for (int i = 0; i < n / 2; i++) x[i] = x[i + n / 2];
    return x;
#else
    return __builtin_shuffle(x, LANE_NUMBERS + n / 2); /* modulo LANES */
#endif
}

/* Lanes are folded in halves: in turn, each would wait for the one before. */
INLINE float sum_lanes(vec x) {
    UNROLL for (int n = LANES; n > 1; n /= 2) x += upper_half(x, n);
    return x[0];
}

INLINE float max_lanes(vec x) {
    UNROLL for (int n = LANES; n > 1; n /= 2) x = vmax(upper_half(x, n), x);
    return x[0];
}

/* To the nearest integer, ties to even, for |x| < 2^22. */
INLINE vec round_even(vec x) {
    const vec magic = splat(12582912.0f);
    vec shifted = x + magic;
    __asm__("" : "+x"(shifted)); /* keeps the compiler from cancelling the two */
    return shifted - magic;
}

/* e^x for x <= 0 or moderate; exactly 1 at 0 and exactly 0 below -87 (also at -inf). Cephes' polynomial. */
INLINE vec vexp(vec x) {
    const ivec dead = x < splat(-87.0f);
    vec clamped = vmax(x, splat(-87.0f));
    clamped = -vmax(-clamped, splat(-88.0f));
    const vec n = round_even(clamped * splat(1.44269504088896341f));
    vec r = clamped - n * splat(0.693359375f);
    r = r - n * splat(-2.12194440e-4f);
    vec y = splat(1.9875691500e-4f);
    y = y * r + splat(1.3981999507e-3f);
    y = y * r + splat(8.3334519073e-3f);
    y = y * r + splat(4.1665795894e-2f);
    y = y * r + splat(1.6666665459e-1f);
    y = y * r + splat(5.0000001201e-1f);
    y = y * (r * r) + r + splat(1.0f);
    const vec scale = (vec)((__builtin_convertvector(n, ivec) + 127) << 23);
    return pick(x != x, x, pick(dead, splat(0.0f), y * scale)); /* a NaN stays one */
}

INLINE float half_to_float(uint16_t bits) {
    _Float16 half;
    memcpy(&half, &bits, sizeof half);
    return (float)half;
}

INLINE uint16_t float_to_half(float x) {
    const _Float16 half = (_Float16)x;
    uint16_t bits;
    memcpy(&bits, &half, sizeof bits);
    return bits;
}

/* One vector of float16 as float32. */
INLINE vec load_half(const uint16_t *p) {
#if defined(__AVX512F__)
    return (vec)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif defined(__AVX2__) && defined(__F16C__)
    return (vec)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
#else
    vec x;
    UNROLL for (int i = 0; i < LANES; i++) x[i] = half_to_float(p[i]);
    return x;
#endif
}

/* The same back, to the nearest, ties to even. */
INLINE void store_half(uint16_t *p, vec x) {
#if defined(__AVX512F__)
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT));
#elif defined(__AVX2__) && defined(__F16C__)
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT));
#else
    UNROLL for (int i = 0; i < LANES; i++) p[i] = float_to_half(x[i]);
#endif
}

/* One vector of bfloat16 as float32: the upper half of the bits. */
INLINE vec load_bfloat(const uint16_t *p) {
#if defined(__AVX512F__)
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return (vec)_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
#elif defined(__AVX2__)
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return (vec)_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
#else
    ivec bits;
    UNROLL for (int i = 0; i < LANES; i++) bits[i] = (int32_t)((uint32_t)p[i] << 16);
    return (vec)bits;
#endif
}

#endif
