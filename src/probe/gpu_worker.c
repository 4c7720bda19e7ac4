/* The child that asks the drivers. It may be stuck in one of them at any time, and is killed then. */
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gpu_local.h"
#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/base/os.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/probe/gpu.h"

struct worker {
    const char *root;
    struct nvml *nvml; /* NULL: there is none */
    struct drm *drm;
    struct gpu_users users;
};

/* It reads, and needs none of this. What ends the agent's whole group is for the agent to heed: we end with it. */
static int worker_limit(void) {
    static const int unheeded[] = {SIGPIPE, SIGTERM, SIGINT, SIGHUP};
    const struct rlimit nothing = {0, 0};
    for (size_t i = 0; i < sizeof unheeded / sizeof unheeded[0]; i++) {
        if (signal(unheeded[i], SIG_IGN) == SIG_ERR)
            return SP_ESYS;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &nothing) != 0)
        return SP_ESYS;
    return 0;
}

static void worker_sample(struct worker *worker, struct status *out) {
    uint64_t now_ms = os_monotonic_ms();
    worker->users.count = 0;
    if (worker->nvml)
        nvml_sample(worker->nvml, now_ms, out, &worker->users);
    drm_sample(worker->drm, now_ms, out, &worker->users);
    gpu_users_tell(&worker->users, worker->root, out);
}

/* One answer. 0, 1 (cannot be told), GPU_EXIT_NONE. */
static int worker_answer(struct worker *worker) {
    struct status status;
    struct buf message;
    status_init(&status);
    buf_init(&message);
    worker_sample(worker, &status);
    int result = status.gpu_count == 0 ? GPU_EXIT_NONE : 0;
    if (result == 0 && (jsonline_append_bare(&message, status_to_json(&status, STATUS_ALL), GPU_MESSAGE_MAX) != 0 ||
                        send(1, buf_head(&message), buf_len(&message), MSG_NOSIGNAL) != (ssize_t)buf_len(&message)))
        result = 1;
    buf_fini(&message);
    status_fini(&status);
    return result;
}

int gpu_worker_main(int argc, char **argv) {
    char question;
    if (argc != 3 || strcmp(argv[1], "gpu-worker") != 0)
        return -1;
    if (worker_limit() != 0)
        return 1;
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return 1;
    worker->root = argv[2];
    int result = 1;
    /* Not before the first question: from then on the parent watches the time. */
    ssize_t n = recv(0, &question, 1, 0);
    if (n == 1 && nvml_new(worker->root, &worker->nvml) != SP_ENOMEM && drm_new(worker->root, &worker->drm) == 0) {
        do
            result = worker_answer(worker);
        while (result == 0 && recv(0, &question, 1, 0) == 1);
    }
    nvml_free(worker->nvml);
    drm_free(worker->drm);
    free(worker);
    return result;
}
