/* What is done to rows one by one: norms, rounding for the next product, rotation, keys and values into the cache.
 *
 * In: rows under way. Out: rows ready for the next phase. Never: one row's result from another's numbers; each
 * phase ends at a barrier.
 */
#ifndef HERD_ROWS_H
#define HERD_ROWS_H

#include "work.h"

static void rms_norm(const float *x, const float *weight, int n, float eps, float *out) {
    double squares = 0.0;
    vec sums = splat(0.0f);
    int i = 0;
    for (; i + LANES <= n; i += LANES) sums += load(x + i) * load(x + i);
    squares = sum_lanes(sums);
    for (; i < n; i++) squares += (double)x[i] * x[i];
    const float inverse = 1.0f / sqrtf((float)(squares / n) + eps);
    for (i = 0; i + LANES <= n; i += LANES) store(out + i, load(x + i) * splat(inverse) * load(weight + i));
    for (; i < n; i++) out[i] = x[i] * inverse * weight[i];
}

static void quantize(const Rows *rows, int row, int n, const Matrix *matrix) {
    if (matrix->kind != INT8) return;
    const size_t groups = (size_t)matrix->n_in / GROUP;
    quantize_row(rows->x + (size_t)row * rows->stride, n, matrix->n_in, (narrow *)rows->q + row * groups * GROUP,
                 (float *)rows->scale + row * groups, (int32_t *)rows->offset + row * groups);
}

static void norm_rows(Player *me, const float *weight, const Matrix *next) {
    const Model *model = me->work->model;
    atomic_int *counter = next_counter(me);
    for (int i, end; take_rows(me, counter, &i, &end);)
        for (; i < end; i++) {
            rms_norm(me->work->step->x + (size_t)i * model->dim, weight, model->dim, model->norm_eps, me->work->normed + (size_t)i * model->dim);
            quantize(&me->work->input, i, model->dim, next);
        }
    barrier(me->team);
}

static void quantize_rows(Player *me, const Rows *rows, int n, const Matrix *next) {
    if (next->kind != INT8) return;
    atomic_int *counter = next_counter(me);
    for (int i, end; take_rows(me, counter, &i, &end);)
        for (; i < end; i++) quantize(rows, i, n, next);
    barrier(me->team);
}

static void rotate(const float *x, const float *cos, const float *sin, int head_dim, float scale, float *out) {
    const int half = head_dim / 2;
    for (int i = 0; i < half; i++) {
        const float a = x[i], b = x[half + i];
        out[i] = (a * cos[i] - b * sin[i]) * scale;
        out[half + i] = (b * cos[i] + a * sin[i]) * scale;
    }
}

static void rotate_token(Work *work, int layer, int block, int t) {
    const Model *model = work->model;
    const Step *step = work->step;
    const int c = model->head_dim, group = model->n_heads / model->n_kv_heads;
    const float *q = work->qkv + (size_t)t * work->qkv_width, *k = q + model->n_heads * c, *v = k + model->n_kv_heads * c;
    const float *cos = step->cos + (size_t)t * c / 2, *sin = step->sin + (size_t)t * c / 2;
    float key[c];
    for (int h = 0; h < model->n_heads; h++) /* [kv head][token][query of its group]: tiles lie together */
        rotate(q + h * c, cos, sin, c, 1.0f / sqrtf((float)c), work->q + (((size_t)(h / group) * step->n_tokens + t) * group + h % group) * c);
    for (int h = 0; h < model->n_kv_heads; h++) {
        rotate(k + h * c, cos, sin, c, 1.0f, key);
        write_token(&model->cache, layer, block, step->position[t] % BLOCK_TOKENS, h, key, v + h * c);
    }
}

static int chunk_of(const Step *step, int token) {
    int low = 0, high = step->n_chunks - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (step->chunk_start[middle] <= token)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Rotate queries and keys; scale queries; put keys and values where the block tables say. */
static void rotate_and_store(Player *me, int layer) {
    const Step *step = me->work->step;
    atomic_int *counter = next_counter(me);
    for (int t, end; take_rows(me, counter, &t, &end);)
        for (int s = chunk_of(step, t); t < end; t++) {
            while (t >= step->chunk_start[s + 1]) s++;
            const int32_t *blocks = step->blocks + step->table_start[s];
            const int place = step->position[t], slot = place % BLOCK_TOKENS, n_here = t - step->chunk_start[s];
            rotate_token(me->work, layer, blocks[place / BLOCK_TOKENS], t);
            if (t + 1 == step->chunk_start[s + 1] && slot <= n_here) /* the block was begun in this chunk, and ends it */
                clear_values(&me->work->model->cache, layer, blocks[place / BLOCK_TOKENS], slot + 1);
        }
    barrier(me->team);
}

/* Go on with the wanted rows alone: nothing reads what the last layer makes of the others. */
static void keep_wanted_rows(Player *me) {
    const Work *work = me->work;
    const Step *step = work->step;
    const size_t dim = (size_t)work->model->dim, width = (size_t)work->model->n_heads * work->model->head_dim;
    for (int i = 0; me->rank == 0 && i < step->n_rows; i++) { /* ascending, so none is overwritten before its turn */
        memmove(step->x + i * dim, step->x + step->rows[i] * dim, sizeof(float) * dim);
        memmove(work->attended + i * width, work->attended + step->rows[i] * width, sizeof(float) * width);
    }
    me->n_rows = step->n_rows;
    barrier(me->team);
}

#endif
