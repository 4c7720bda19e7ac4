#include "sallyport/probe/gpu.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu_local.h"
#include "kernel_file.h"
#include "sallyport/base/err.h"
#include "sallyport/base/helper.h"
#include "sallyport/base/list.h"
#include "sallyport/base/log.h"
#include "sallyport/base/str.h"

enum { ANSWER_MS = 5000, START_MS = 60000, RETRY_MS = 30000, RETRY_MOST_MS = 600000, AGAIN_MS = 600000 };
/* So many answers in a row, and a child's end counts as the first one again. */
enum { ANSWERS_OF_THE_WELL = 20 };
/* One that is stuck in the kernel cannot be ended, and another one beside it shall not become a crowd. */
enum { STUCK_MAX = 1 };

/* A child. `probe` is NULL when nobody cares for it any more. */
struct gpu_child {
    struct list link; /* in probe->stuck once it was killed */
    struct gpu_probe *probe;
    struct helper helper;
    struct loop_fd exited, answers;
    struct loop_ending ending;
    unsigned answered;
    bool is_asked, had_driver;
    uint64_t started;
};

struct gpu_probe {
    struct loop *loop;
    char root[KERNEL_PATH_SIZE];
    struct gpu_probe_config config;
    struct gpu_known known;
    struct gpu_child *child; /* NULL: there is none */
    struct list stuck;       /* killed, not yet gone */
    size_t stuck_count;
    uint64_t next_start, backoff;
    bool had_driver;            /* when the last child was started */
    struct loop_timer deadline; /* of the child's answer */
    struct loop_timer patience; /* of who waits for `done` */
    struct loop_task telling;
    void (*done)(void *ctx);
    void *ctx;
};

static void child_free(struct gpu_child *child) {
    loop_fd_remove(&child->exited);
    loop_fd_remove(&child->answers);
    (void)close(child->helper.socket);
    (void)close(child->helper.pidfd);
    free(child);
}

/* The loop ends before the child: whoever comes after us reaps it, if ever it ends. */
static void child_ended(void *ctx) {
    struct gpu_child *child = ctx;
    (void)waitpid(child->helper.pid, NULL, WNOHANG);
    child_free(child);
}

static void tell(struct gpu_probe *probe) {
    void (*done)(void *ctx) = probe->done;
    loop_timer_stop(&probe->patience);
    probe->done = NULL;
    if (done)
        done(probe->ctx);
}

static void tell_now(void *ctx) {
    tell(ctx);
}

/* Kills the child and leaves it to the loop. */
static void probe_drop_child(struct gpu_probe *probe) {
    struct gpu_child *child = probe->child;
    probe->child = NULL;
    loop_timer_stop(&probe->deadline);
    loop_fd_remove(&child->answers);
    (void)kill(child->helper.pid, SIGKILL);
    list_append(&probe->stuck, &child->link);
    probe->stuck_count++;
    loop_ending_add(probe->loop, &child->ending, child_ended, child);
}

/* When there is reason to believe that the next child fares no better. */
static void probe_back_off(struct gpu_probe *probe) {
    probe->next_start = loop_now(probe->loop) + probe->backoff;
    probe->backoff =
        probe->backoff < probe->config.retry_most_ms / 2 ? probe->backoff * 2 : probe->config.retry_most_ms;
    gpu_known_hang(&probe->known);
}

static void child_late(void *ctx) {
    struct gpu_probe *probe = ctx;
    log_warn("the GPUs' driver does not answer; asked again in %llu s", (unsigned long long)(probe->backoff / 1000));
    probe_drop_child(probe);
    probe_back_off(probe);
    tell(probe);
}

static void child_answers(void *ctx, uint32_t events) {
    struct gpu_child *child = ctx;
    struct gpu_probe *probe = child->probe;
    struct status sample;
    (void)events;
    char *message = malloc(GPU_MESSAGE_MAX + 1);
    if (!message)
        return;
    ssize_t n = recv(child->helper.socket, message, GPU_MESSAGE_MAX + 1, MSG_DONTWAIT);
    if (n <= 0) { /* how it ended is read from the pidfd */
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            loop_fd_remove(&child->answers);
        free(message);
        return;
    }
    int rc = child->is_asked ? gpu_message_read(message, (size_t)n, &sample) : SP_EFORMAT;
    free(message);
    if (rc == 0) {
        rc = gpu_known_take(&probe->known, &sample);
        status_fini(&sample);
    }
    if (rc != 0) {
        log_warn("what the GPUs' driver said makes no sense: %s", err_text(rc));
        probe_drop_child(probe);
        probe_back_off(probe);
    } else {
        child->is_asked = false;
        loop_timer_stop(&probe->deadline);
        if (++child->answered >= ANSWERS_OF_THE_WELL)
            probe->backoff = probe->config.retry_ms;
    }
    tell(probe);
}

static void child_exited(void *ctx, uint32_t events) {
    struct gpu_child *child = ctx;
    struct gpu_probe *probe = child->probe;
    struct status nothing;
    int how = 0;
    (void)events;
    if (waitpid(child->helper.pid, &how, WNOHANG) == 0)
        return;
    if (!probe || probe->child != child) {
        loop_ending_remove(&child->ending);
        if (probe) {
            list_remove(&child->link);
            probe->stuck_count--;
        }
        child_free(child);
        return;
    }
    probe->child = NULL;
    loop_timer_stop(&probe->deadline);
    child_free(child);
    if (WIFEXITED(how) && WEXITSTATUS(how) == GPU_EXIT_NONE) {
        status_init(&nothing);
        (void)gpu_known_take(&probe->known, &nothing);
        probe->next_start = loop_now(probe->loop) + probe->config.again_ms;
    } else {
        log_warn("asking the GPUs' driver made the child fail (%s %d); asked again in %llu s",
                 WIFSIGNALED(how) ? "signal" : "status", WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how),
                 (unsigned long long)(probe->backoff / 1000));
        probe_back_off(probe);
    }
    tell(probe);
}

static bool probe_has_driver(const struct gpu_probe *probe) {
    return kernel_has(probe->root, "/dev/nvidiactl");
}

static void probe_start_child(struct gpu_probe *probe) {
    struct gpu_child *child = calloc(1, sizeof *child);
    int rc = child ? helper_start("gpu-worker", probe->root, environ, &child->helper) : SP_ENOMEM;
    if (rc != 0) {
        free(child);
        log_debug("gpu: cannot start a child: %s", err_text(rc));
        probe->next_start = loop_now(probe->loop) + probe->config.retry_ms;
        return;
    }
    child->probe = probe;
    child->started = loop_now(probe->loop);
    list_init(&child->link);
    loop_fd_init(&child->exited);
    loop_fd_init(&child->answers);
    rc = loop_fd_add(probe->loop, &child->exited, child->helper.pidfd, EPOLLIN, child_exited, child);
    if (rc == 0)
        rc = loop_fd_add(probe->loop, &child->answers, child->helper.socket, EPOLLIN, child_answers, child);
    if (rc != 0) {
        loop_fd_remove(&child->exited);
        helper_stop(&child->helper);
        free(child);
        return;
    }
    gpu_known_restart(&probe->known);
    probe->child = child;
}

static bool probe_lost_one(const struct gpu_probe *probe) {
    for (size_t i = 0; i < probe->known.now.gpu_count; i++) {
        if (strcmp(probe->known.now.gpus[i].state, "lost") == 0)
            return true;
    }
    return false;
}

/* Sees to it that there is a child, when there should be one. */
static void probe_prepare(struct gpu_probe *probe) {
    uint64_t now = loop_now(probe->loop);
    bool has_driver = probe_has_driver(probe), is_new = has_driver && !probe->had_driver;
    struct gpu_child *child = probe->child;
    if (child && !child->is_asked &&
        (is_new || (probe_lost_one(probe) && now - child->started >= probe->config.again_ms)))
        probe_drop_child(probe);
    if (!probe->child && probe->stuck_count <= STUCK_MAX && (is_new || now >= probe->next_start)) {
        probe->had_driver = has_driver;
        probe_start_child(probe);
    }
}

int gpu_probe_sample(struct gpu_probe *probe, void (*done)(void *ctx), void *ctx) {
    static const char question = GPU_QUESTION;
    if (probe->done)
        return SP_EBUSY;
    probe->done = done;
    probe->ctx = ctx;
    probe_prepare(probe);
    struct gpu_child *child = probe->child;
    bool waits = child && !child->is_asked;
    if (waits) {
        /* One that is gone cannot be told so; its pidfd says it. */
        (void)send(child->helper.socket, &question, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        child->is_asked = true;
        waits = child->answered > 0 ? loop_timer_set(&probe->deadline, probe->config.answer_ms) == 0
                                    : loop_timer_set(&probe->deadline, probe->config.start_ms) == 0 &&
                                          loop_timer_set(&probe->patience, probe->config.answer_ms) == 0;
        if (!waits)
            probe_drop_child(probe);
    }
    if (!waits)
        loop_task_post(&probe->telling);
    return 0;
}

int gpu_probe_read(const struct gpu_probe *probe, struct status *out) {
    const struct status *now = &probe->known.now;
    for (size_t i = 0; i < now->gpu_count; i++) {
        struct gpu *gpu = status_add(out, "gpus");
        if (!gpu)
            return SP_ENOMEM;
        *gpu = now->gpus[i];
    }
    for (size_t i = 0; i < now->process_count; i++) {
        struct process *process = status_add(out, "processes");
        if (!process)
            return SP_ENOMEM;
        *process = now->processes[i];
    }
    return 0;
}

static uint64_t or_usual(uint64_t wanted, uint64_t usual) {
    return wanted != 0 ? wanted : usual;
}

int gpu_probe_new(struct loop *loop, const struct gpu_probe_config *config, struct gpu_probe **out) {
    struct gpu_probe *probe = calloc(1, sizeof *probe);
    if (!probe)
        return SP_ENOMEM;
    if (str_copy(probe->root, sizeof probe->root, config->root ? config->root : "") != 0) {
        free(probe);
        return SP_ETOOBIG;
    }
    probe->loop = loop;
    probe->config = (struct gpu_probe_config){
        .root = probe->root,
        .answer_ms = or_usual(config->answer_ms, ANSWER_MS),
        .start_ms = or_usual(config->start_ms, START_MS),
        .retry_ms = or_usual(config->retry_ms, RETRY_MS),
        .retry_most_ms = or_usual(config->retry_most_ms, RETRY_MOST_MS),
        .again_ms = or_usual(config->again_ms, AGAIN_MS),
    };
    probe->backoff = probe->config.retry_ms;
    gpu_known_init(&probe->known);
    list_init(&probe->stuck);
    loop_timer_init(loop, &probe->deadline, child_late, probe);
    loop_timer_init(loop, &probe->patience, tell_now, probe);
    loop_task_init(loop, &probe->telling, tell_now, probe);
    *out = probe;
    return 0;
}

void gpu_probe_free(struct gpu_probe *probe) {
    struct list *node, *tmp;
    if (!probe)
        return;
    probe->done = NULL;
    if (probe->child)
        probe_drop_child(probe);
    list_foreach (node, tmp, &probe->stuck) {
        struct gpu_child *child = list_item(node, struct gpu_child, link);
        child->probe = NULL;
        list_remove(node);
    }
    loop_timer_stop(&probe->deadline);
    loop_timer_stop(&probe->patience);
    loop_task_cancel(&probe->telling);
    gpu_known_fini(&probe->known);
    free(probe);
}
