#include "sallyport/base/work.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "work_impl.h"

struct job {
    struct list link;
    void (*run)(void *ctx);
    void (*done)(void *ctx);
    void (*drop)(void *ctx);
    void *ctx;
};

enum worker_state { WORKER_NONE, WORKER_LIVE, WORKER_ENDED /* to be joined */ };

struct worker {
    struct work *work;
    pthread_t thread;
    enum worker_state state;
};

struct work {
    struct loop_fd watch; /* of the eventfd: something has finished */
    int eventfd;
    unsigned idle_ms, max;

    pthread_mutex_t mutex; /* over all below */
    pthread_cond_t wake;
    struct list waiting, finished;
    unsigned unfinished; /* waiting and running jobs */
    unsigned queued;     /* waiting jobs */
    unsigned idle;       /* threads that wait for a job */
    bool stop;
    struct worker workers[WORK_THREADS_MAX];
};

static struct timespec deadline_in(unsigned ms) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

/* The next job, or NULL when the thread should end. The mutex is held, given up while waiting. */
static struct job *worker_next_job(struct work *work) {
    struct timespec deadline = deadline_in(work->idle_ms);
    int rc = 0;
    work->idle++;
    while (!work->stop && list_is_empty(&work->waiting) && rc == 0)
        rc = pthread_cond_timedwait(&work->wake, &work->mutex, &deadline);
    work->idle--;
    if (work->stop || list_is_empty(&work->waiting))
        return NULL;
    struct job *job = list_item(work->waiting.next, struct job, link);
    list_remove(&job->link);
    work->queued--;
    return job;
}

static void *worker_main(void *arg) {
    struct worker *worker = arg;
    struct work *work = worker->work;
    struct job *job;
    pthread_mutex_lock(&work->mutex);
    while ((job = worker_next_job(work))) {
        pthread_mutex_unlock(&work->mutex);
        job->run(job->ctx);
        pthread_mutex_lock(&work->mutex);
        work->unfinished--;
        if (list_is_empty(&work->finished)) {
            /* Cannot fail: the counter never comes near its end. */
            eventfd_write(work->eventfd, 1);
        }
        list_append(&work->finished, &job->link);
    }
    worker->state = WORKER_ENDED;
    pthread_mutex_unlock(&work->mutex);
    return NULL;
}

static void take_list(struct list *to, struct list *from) {
    list_init(to);
    while (!list_is_empty(from)) {
        struct list *node = from->next;
        list_remove(node);
        list_append(to, node);
    }
}

static void work_report(void *ctx, uint32_t events) {
    struct work *work = ctx;
    struct list finished;
    eventfd_t count;
    (void)events;
    pthread_mutex_lock(&work->mutex);
    (void)eventfd_read(work->eventfd, &count);
    take_list(&finished, &work->finished);
    pthread_mutex_unlock(&work->mutex);
    while (!list_is_empty(&finished)) {
        struct job *job = list_item(finished.next, struct job, link);
        list_remove(&job->link);
        job->done(job->ctx);
        free(job);
    }
}

int work_new(struct loop *loop, unsigned threads, struct work **out) {
    struct work *work = calloc(1, sizeof(*work));
    if (!work)
        return SP_ENOMEM;
    work->max = threads < 1 ? 1 : threads > WORK_THREADS_MAX ? WORK_THREADS_MAX : threads;
    work->idle_ms = WORK_IDLE_MS;
    list_init(&work->waiting);
    list_init(&work->finished);
    loop_fd_init(&work->watch);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&work->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&work->mutex, NULL);

    work->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = work->eventfd < 0 ? SP_ESYS : loop_fd_add(loop, &work->watch, work->eventfd, EPOLLIN, work_report, work);
    if (rc) {
        work_free(work);
        return rc;
    }
    *out = work;
    return 0;
}

static void drop_jobs(struct list *jobs) {
    while (!list_is_empty(jobs)) {
        struct job *job = list_item(jobs->next, struct job, link);
        list_remove(&job->link);
        job->drop(job->ctx);
        free(job);
    }
}

void work_free(struct work *work) {
    if (!work)
        return;
    pthread_mutex_lock(&work->mutex);
    work->stop = true;
    pthread_cond_broadcast(&work->wake);
    pthread_mutex_unlock(&work->mutex);
    for (unsigned i = 0; i < work->max; i++) {
        /* From NONE to LIVE it goes on this thread only, so the state needs no lock here. */
        if (work->workers[i].work)
            pthread_join(work->workers[i].thread, NULL);
    }
    loop_fd_remove(&work->watch);
    if (work->eventfd >= 0)
        close(work->eventfd);
    drop_jobs(&work->finished);
    drop_jobs(&work->waiting);
    pthread_cond_destroy(&work->wake);
    pthread_mutex_destroy(&work->mutex);
    free(work);
}

/* One more thread, in a free place or that of one that has ended. The mutex is held. 0 or SP_ESYS. */
static int work_start_thread(struct work *work) {
    struct worker *worker = work->workers;
    while (worker < work->workers + work->max && worker->state == WORKER_LIVE)
        worker++;
    if (worker == work->workers + work->max)
        return 0;
    if (worker->state == WORKER_ENDED) {
        pthread_join(worker->thread, NULL);
        *worker = (struct worker){0};
    }
    /* Signals are the loop's: no thread of ours may catch one. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    *worker = (struct worker){.work = work, .state = WORKER_LIVE};
    int failed = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        *worker = (struct worker){0};
        errno = failed;
        return SP_ESYS;
    }
    return 0;
}

static unsigned work_live(const struct work *work) {
    unsigned live = 0;
    for (unsigned i = 0; i < work->max; i++)
        live += work->workers[i].state == WORKER_LIVE;
    return live;
}

int work_submit(struct work *work, void (*run)(void *ctx), void (*done)(void *ctx), void (*drop)(void *ctx),
                void *ctx) {
    struct job *job = malloc(sizeof(*job));
    if (!job)
        return SP_ENOMEM;
    *job = (struct job){.run = run, .done = done, .drop = drop, .ctx = ctx};
    int rc = SP_EBUSY;
    pthread_mutex_lock(&work->mutex);
    if (work->unfinished >= work->max + WORK_WAITING_MAX)
        goto out;
    rc = work->queued >= work->idle ? work_start_thread(work) : 0;
    /* Without a new thread the ones at work will come to it. */
    if (rc && work_live(work) > 0)
        rc = 0;
    if (rc)
        goto out;
    list_append(&work->waiting, &job->link);
    work->queued++;
    work->unfinished++;
    pthread_cond_signal(&work->wake);
out:
    pthread_mutex_unlock(&work->mutex);
    if (rc)
        free(job);
    return rc;
}

void work_set_idle_ms(struct work *work, unsigned idle_ms) {
    work->idle_ms = idle_ms;
}

unsigned work_count_threads(struct work *work) {
    pthread_mutex_lock(&work->mutex);
    unsigned live = work_live(work);
    pthread_mutex_unlock(&work->mutex);
    return live;
}
