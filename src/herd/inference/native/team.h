/* A team of threads that stays for the life of the process and meets at barriers.
 *
 * In: a function and a context. Out: the function run by every member at once; members share out work
 * through counters. Never: more than one job at a time; the caller holds the lock of the library.
 *
 * Members spin for a while before they sleep: a step has hundreds of short phases, and waking takes longer
 * than most of them. A member that waits long gives its core away.
 */
#ifndef HERD_TEAM_H
#define HERD_TEAM_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SPINS_BEFORE_YIELD 4000
#define YIELDS_BEFORE_SLEEP 8000 /* some milliseconds: longer than lies between two steps */

typedef struct Team Team;
typedef void (*Job)(Team *team, int rank, void *context);

struct Team {
    int size;
    atomic_int generation; /* counts jobs; a change starts one */
    atomic_int arrived;
    atomic_int phase; /* counts barriers */
    atomic_int stopping;
    Job job;
    void *context;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t *threads;
};

typedef struct {
    Team *team;
    int rank;
} Member;

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Wait for everybody. What was written before it is read after it. */
static void barrier(Team *team) {
    if (team->size == 1) return;
    const int phase = atomic_load_explicit(&team->phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) == team->size - 1) {
        atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&team->phase, phase + 1, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&team->phase, memory_order_acquire) == phase; spins++) {
        if (spins < SPINS_BEFORE_YIELD)
            relax();
        else
            sched_yield();
    }
}

/* Take the next `step` items of `n`; returns the first, or n when there are none left. */
static inline int take(atomic_int *counter, int step, int n) {
    const int first = atomic_fetch_add_explicit(counter, step, memory_order_relaxed);
    return first < n ? first : n;
}

static int is_there(Team *team, int seen) { return atomic_load_explicit(&team->generation, memory_order_acquire) != seen; }

/* A sleeper woken may find itself behind its waker, on the waker's core, until the system's next tick. */
static void wait_for_job(Team *team, int seen) {
    for (int spins = 0; spins < SPINS_BEFORE_YIELD + YIELDS_BEFORE_SLEEP; spins++) {
        if (is_there(team, seen)) return;
        if (spins < SPINS_BEFORE_YIELD)
            relax();
        else
            sched_yield();
    }
    pthread_mutex_lock(&team->mutex);
    while (!is_there(team, seen)) pthread_cond_wait(&team->wake, &team->mutex);
    pthread_mutex_unlock(&team->mutex);
}

static void *serve(void *argument) {
    Member *member = argument;
    Team *team = member->team;
    for (int seen = 0;; seen++) {
        wait_for_job(team, seen);
        if (atomic_load(&team->stopping)) break;
        team->job(team, member->rank, team->context);
        barrier(team); /* nobody leaves before all are done: the context is the caller's */
    }
    free(member);
    return NULL;
}

static void start_job(Team *team) {
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add_explicit(&team->generation, 1, memory_order_release);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
}

/* Run `job` on every member, the caller being rank 0. */
static void run_job(Team *team, Job job, void *context) {
    team->job = job;
    team->context = context;
    if (team->size > 1) start_job(team);
    job(team, 0, context);
    barrier(team);
}

static void stop_team(Team *team) {
    atomic_store(&team->stopping, 1);
    start_job(team);
    for (int rank = 1; rank < team->size; rank++) pthread_join(team->threads[rank], NULL);
    pthread_mutex_destroy(&team->mutex);
    pthread_cond_destroy(&team->wake);
    free(team->threads);
    free(team);
}

/* Returns a team of at most `size`: fewer where the system gives no more threads; NULL without memory. */
static Team *start_team(int size) {
    Team *team = calloc(1, sizeof *team);
    if (!team) return NULL;
    team->threads = calloc((size_t)size, sizeof *team->threads);
    if (!team->threads) {
        free(team);
        return NULL;
    }
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->wake, NULL);
    team->size = size; /* members compare with it at barriers; set before any starts */
    for (int rank = 1; rank < size; rank++) {
        Member *member = malloc(sizeof *member);
        if (member) *member = (Member){team, rank};
        if (!member || pthread_create(&team->threads[rank], NULL, serve, member)) {
            free(member);
            team->size = rank; /* no job has run yet, so nobody has read it */
            break;
        }
    }
    return team;
}

#endif
