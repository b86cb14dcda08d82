/* The matrix products of a layer, shared out among the team.
 *
 * In: rows of activations and a packed matrix. Out: products, alone or with what is done to them at once: added to
 * the residual stream, gate times up. Never: other phases; each ends at a barrier.
 */
#ifndef HERD_PRODUCTS_H
#define HERD_PRODUCTS_H

#include "work.h"

/* A product is shared out in pieces: some panels for a strip of rows. The strip's activations stay in the second cache
 * while the panels pass by; runs of panels, in whole units, read memory in order, short ones share the end out evenly. */
typedef struct {
    int n_panels, n_rows, run, strip, n_runs, n_pieces;
} Cut;

#define STRIP_BYTES (192 * 1024)
#define STRIP_STEP 24 /* a multiple of every height of tile */

static Cut cut_product(const Team *team, const Matrix *matrix, int n_rows, int unit) {
    const int row_bytes = matrix->n_in * (matrix->kind == INT8 ? (int)sizeof(narrow) : (int)sizeof(float));
    int strip = STRIP_BYTES / row_bytes / STRIP_STEP * STRIP_STEP;
    if (strip < 2 * STRIP_STEP) strip = 2 * STRIP_STEP;
    const int n_panels = matrix->n_out / PANEL;
    int run = n_panels / (team->size * 8) / unit * unit;
    if (run < unit) run = unit;
    const int n_runs = (n_panels + run - 1) / run, n_strips = (n_rows + strip - 1) / strip;
    return (Cut){n_panels, n_rows, run, strip, n_runs, n_runs * n_strips};
}

/* Take a piece: panels [*p0, *p1) of rows [*m0, *m1). Returns 0 when there is none left. */
static int take_piece(const Cut *cut, atomic_int *counter, int *p0, int *p1, int *m0, int *m1) {
    const int piece = take(counter, 1, cut->n_pieces);
    if (piece == cut->n_pieces) return 0;
    *p0 = piece % cut->n_runs * cut->run;
    *p1 = at_most(*p0 + cut->run, cut->n_panels);
    *m0 = piece / cut->n_runs * cut->strip;
    *m1 = at_most(*m0 + cut->strip, cut->n_rows);
    return 1;
}

static void multiply(Player *me, const Matrix *matrix, const Rows *in, float *out, int stride) {
    const Cut cut = cut_product(me->team, matrix, me->n_rows, TILE_PANELS);
    atomic_int *counter = next_counter(me);
    for (int p, p1, m, m1; take_piece(&cut, counter, &p, &p1, &m, &m1);)
        multiply_panels(matrix, p, p1 - p, p1, in, m, m1, out + (size_t)m * stride + (size_t)p * PANEL, stride);
    barrier(me->team);
}

#define TILE_WIDTH (TILE_PANELS * PANEL)
#define ROWS_AT_HAND 96 /* rows whose products wait in the first cache for what is done with them */

/* x += in . matrix */
static void multiply_onto_x(Player *me, const Matrix *matrix, const Rows *in) {
    const Step *step = me->work->step;
    const int dim = me->work->model->dim;
    const Cut cut = cut_product(me->team, matrix, me->n_rows, TILE_PANELS);
    float product[ROWS_AT_HAND][TILE_WIDTH] __attribute__((aligned(64)));
    atomic_int *counter = next_counter(me);
    for (int p, p1, m0, m1; take_piece(&cut, counter, &p, &p1, &m0, &m1);)
        for (; p < p1; p += TILE_PANELS)
            for (int m = m0; m < m1; m += ROWS_AT_HAND) {
                const int rows = at_most(m1 - m, ROWS_AT_HAND), panels = at_most(p1 - p, TILE_PANELS);
                const int width = at_most(dim - p * PANEL, panels * PANEL);
                multiply_panels(matrix, p, panels, p1, in, m, m + rows, product[0], TILE_WIDTH);
                for (int r = 0; r < rows; r++) {
                    float *x = step->x + (size_t)(m + r) * dim + p * PANEL;
                    for (int i = 0; i < width; i++) x[i] += product[r][i];
                }
            }
    barrier(me->team);
}

/* hidden = silu(gate) * up */
static void multiply_gate_up(Player *me, const Matrix *matrix, const Rows *in) {
    Work *work = me->work;
    const Cut cut = cut_product(me->team, matrix, me->n_rows, 2);
    float product[ROWS_AT_HAND][2 * PANEL] __attribute__((aligned(64)));
    atomic_int *counter = next_counter(me);
    for (int p, p1, m0, m1; take_piece(&cut, counter, &p, &p1, &m0, &m1);)
        for (; p < p1; p += 2)
            for (int m = m0; m < m1; m += ROWS_AT_HAND) {
                const int rows = at_most(m1 - m, ROWS_AT_HAND);
                multiply_panels(matrix, p, 2, p1, in, m, m + rows, product[0], 2 * PANEL);
                for (int r = 0; r < rows; r++)
                    for (int i = 0; i < PANEL; i += LANES) {
                        const vec gate = load(product[r] + i), up = load(product[r] + PANEL + i);
                        const vec silu = gate / (splat(1.0f) + vexp(-gate));
                        store(work->hidden + (size_t)(m + r) * work->hidden_width + p / 2 * PANEL + i, silu * up);
                    }
            }
    barrier(me->team);
}

#endif
