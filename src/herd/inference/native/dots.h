/* Exact dot products of small integers, four or two at a time, in the instructions that the processor has.
 *
 * In: packed bytes of weights, integer activations. Out: LANES int32 sums. Never: a product that is rounded or
 * saturates: pairs of int8 products fit 16 bits only where one side is unsigned and small, so no instruction that
 * adds them there is used.
 */
#ifndef HERD_DOTS_H
#define HERD_DOTS_H

#include "vector.h"

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

/* Exact dot products: `ints` holds LANES int32 sums, `load_bytes` their weights of one step, and `dot` adds the
 * products of a step with the same four bytes of activations. */
#if defined(HERD_PLAIN)
#define VECTOR_DOTS 0
#elif FOURS || defined(__AVX512BW__) || (defined(__AVX2__) && !defined(__AVX512F__))
#define VECTOR_DOTS 1
#else
#define VECTOR_DOTS 0
#endif

/* What one step multiplies: four bytes, or two pairs of them, as they lie. */
INLINE int32_t four_bytes(const narrow *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return four;
}

#if !VECTOR_DOTS
typedef ivec ints;
typedef const int8_t *bytes;
INLINE ints all_lanes(int32_t from) { return from - (ivec){0}; }
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
INLINE ints all_lanes(int32_t from) { return _mm512_set1_epi32(from); }
#if FOURS
INLINE bytes load_bytes(const int8_t *w) { return _mm512_loadu_si512(w); }
INLINE ints dot(ints sum, bytes w, const narrow *q) { return _mm512_dpbusd_epi32(sum, w, all_lanes(four_bytes(q))); }
#else
INLINE bytes load_bytes(const int8_t *w) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)w)); }
INLINE ints dot(ints sum, bytes w, const narrow *q) { return _mm512_add_epi32(sum, _mm512_madd_epi16(w, all_lanes(four_bytes(q)))); }
#endif
INLINE vec as_float(ints x) { return (vec)_mm512_cvtepi32_ps(x); }
#else
typedef __m256i ints;
typedef __m256i bytes;
INLINE ints all_lanes(int32_t from) { return _mm256_set1_epi32(from); }
#if FOURS
INLINE bytes load_bytes(const int8_t *w) { return _mm256_loadu_si256((const __m256i *)w); }
INLINE ints dot(ints sum, bytes w, const narrow *q) { return _mm256_dpbusd_avx_epi32(sum, w, all_lanes(four_bytes(q))); }
#else
INLINE bytes load_bytes(const int8_t *w) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w)); }
INLINE ints dot(ints sum, bytes w, const narrow *q) { return _mm256_add_epi32(sum, _mm256_madd_epi16(w, all_lanes(four_bytes(q)))); }
#endif
INLINE vec as_float(ints x) { return (vec)_mm256_cvtepi32_ps(x); }
#endif

#endif
