/* Messages to other servers. */
#include "sallyport/wire/post.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/loop.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/work.h"

enum { THREADS = 4, ANSWER_MAX = 65536, CONNECT_S = 10 };

struct posts {
    struct work *work;
    atomic_bool stopping;
};

/* One message on its way: the loop's, then a thread's, then the loop's again. */
struct job {
    struct posts *posts;
    CURL *curl; /* while it runs */
    char *url, *from, *to, *user, *password;
    struct curl_slist *fields;
    char *body;
    size_t body_len, body_sent, answered;
    bool (*allows)(const char *address);
    unsigned timeout_s;
    bool refused;
    int rc;
    struct why why;
    void (*done)(void *ctx, int rc, const struct why *why);
    void *ctx;
};

static void free_secret(char *text) {
    if (text)
        secret_wipe(text, strlen(text));
    free(text);
}

static void job_free(void *ctx) {
    struct job *job = ctx;
    free_secret(job->url);
    free_secret(job->password);
    free(job->from);
    free(job->to);
    free(job->user);
    curl_slist_free_all(job->fields);
    if (job->body)
        secret_wipe(job->body, job->body_len);
    free(job->body);
    free(job);
}

static void job_done(void *ctx) {
    struct job *job = ctx;
    job->done(job->ctx, job->rc, &job->why);
    job_free(job);
}

/* The address is looked at when it is known, so that no name can lead to another one than was asked about. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to) {
    struct job *job = ctx;
    char text[INET6_ADDRSTRLEN] = "";
    (void)purpose;
    if (to->family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &to->addr, sizeof(v4));
        inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    } else if (to->family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, &to->addr, to->addrlen < sizeof(v6) ? to->addrlen : sizeof(v6));
        inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    }
    if (!text[0] || (job->allows && !job->allows(text))) {
        job->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static int on_progress(void *ctx, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up) {
    struct job *job = ctx;
    bool stopping = atomic_load(&job->posts->stopping);
    (void)down_all;
    (void)down;
    (void)up_all;
    (void)up;
#if LIBCURL_VERSION_NUM >= 0x075700
    if (stopping) /* the program ends: a name server that does not answer is not waited for */
        (void)curl_easy_setopt(job->curl, CURLOPT_QUICK_EXIT, 1L);
#endif
    return stopping;
}

/* What the server says is not kept; one that does not end is cut off. */
static size_t on_answer(char *bytes, size_t size, size_t n, void *ctx) {
    struct job *job = ctx;
    (void)bytes;
    job->answered += size * n;
    return job->answered > ANSWER_MAX ? 0 : size * n;
}

static size_t on_read(char *to, size_t size, size_t n, void *ctx) {
    struct job *job = ctx;
    size_t left = job->body_len - job->body_sent, part = size * n < left ? size * n : left;
    memcpy(to, job->body + job->body_sent, part);
    job->body_sent += part;
    return part;
}

static CURLcode set_protocols(const struct job *job, CURL *curl) {
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, job->to ? "smtp,smtps" : "http,https");
#else
    long mail = CURLPROTO_SMTP | CURLPROTO_SMTPS, web = CURLPROTO_HTTP | CURLPROTO_HTTPS;
    return curl_easy_setopt(curl, CURLOPT_PROTOCOLS, job->to ? mail : web);
#endif
}

static CURLcode set_common(struct job *job, CURL *curl) {
    CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, job->url);
    if (!code)
        code = set_protocols(job, curl);
    if (!code)
        code = curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (!code)
        code = curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    if (code)
        return code;
    (void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, job);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    (void)curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)job->timeout_s);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, job);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, job);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "sallyport-relay");
    return CURLE_OK;
}

static CURLcode set_http(const struct job *job, CURL *curl) {
    (void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, job->fields);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)job->body_len);
    return curl_easy_setopt(curl, CURLOPT_POSTFIELDS, job->body);
}

static CURLcode set_mail(struct job *job, CURL *curl, struct curl_slist **to) {
    *to = curl_slist_append(NULL, job->to);
    if (!*to)
        return CURLE_OUT_OF_MEMORY;
    CURLcode code = curl_easy_setopt(curl, CURLOPT_MAIL_FROM, job->from);
    if (!code)
        code = curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, *to);
    if (!code && job->user)
        code = curl_easy_setopt(curl, CURLOPT_USERNAME, job->user);
    if (!code && job->password)
        code = curl_easy_setopt(curl, CURLOPT_PASSWORD, job->password);
    (void)curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)(job->password ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    (void)curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)job->body_len);
    (void)curl_easy_setopt(curl, CURLOPT_READDATA, job);
    return code ? code : curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
}

static void judge(struct job *job, CURL *curl, CURLcode code) {
    long status = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    job->rc = SP_ECLOSED;
    if (job->refused && code) {
        job->rc = SP_EDENIED;
        why_set(&job->why, "it leads to an address that is not public: an admin can allow that with --private");
    } else if (code == CURLE_OUT_OF_MEMORY) {
        job->rc = SP_ENOMEM;
        why_set(&job->why, "out of memory");
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        job->rc = SP_ETIMEOUT;
        why_set(&job->why, "the server did not answer in time");
    } else if (code) {
        why_set(&job->why, "%s", curl_easy_strerror(code));
    } else if (!job->to && status >= 300 && status < 400) {
        why_set(&job->why, "the server leads elsewhere (status %ld), which is not followed", status);
    } else if (!job->to && (status < 200 || status >= 300)) {
        why_set(&job->why, "the server answered with status %ld", status);
    } else {
        job->rc = 0;
    }
}

static void job_run(void *ctx) {
    struct job *job = ctx;
    struct curl_slist *to = NULL;
    CURL *curl = curl_easy_init();
    if (!curl) {
        job->rc = SP_ENOMEM;
        why_set(&job->why, "out of memory");
        return;
    }
    job->curl = curl;
    CURLcode code = set_common(job, curl);
    if (!code)
        code = job->to ? set_mail(job, curl, &to) : set_http(job, curl);
    if (!code)
        code = curl_easy_perform(curl);
    judge(job, curl, code);
    curl_easy_cleanup(curl);
    curl_slist_free_all(to);
}

int posts_new(struct loop *loop, struct posts **out) {
    struct posts *posts = calloc(1, sizeof(*posts));
    if (!posts)
        return SP_ENOMEM;
    int rc = curl_global_init(CURL_GLOBAL_DEFAULT) ? SP_ENOMEM : 0;
    if (!rc)
        rc = work_new(loop, THREADS, &posts->work);
    if (rc) {
        free(posts);
        return rc;
    }
    *out = posts;
    return 0;
}

void posts_free(struct posts *posts) {
    if (!posts)
        return;
    atomic_store(&posts->stopping, true);
    work_free(posts->work);
    curl_global_cleanup();
    free(posts);
}

static bool copy_text(char **to, const char *from) {
    if (from)
        *to = strdup(from);
    return !from || *to;
}

static int copy_fields(struct job *job, const struct post *post) {
    for (size_t i = 0; i < POST_FIELDS_MAX && post->fields[i]; i++) {
        if (strpbrk(post->fields[i], "\r\n"))
            return SP_EINVAL;
        struct curl_slist *longer = curl_slist_append(job->fields, post->fields[i]);
        if (!longer)
            return SP_ENOMEM;
        job->fields = longer;
    }
    return 0;
}

static int job_fill(struct job *job, const struct post *post) {
    if (post->body_len > POST_BODY_MAX)
        return SP_ETOOBIG;
    if ((post->from && strpbrk(post->from, "\r\n<>")) || (post->to && strpbrk(post->to, "\r\n<>")))
        return SP_EINVAL;
    job->body = malloc(post->body_len + 1);
    if (!job->body || !copy_text(&job->url, post->url) || !copy_text(&job->from, post->from) ||
        !copy_text(&job->to, post->to) || !copy_text(&job->user, post->user) ||
        !copy_text(&job->password, post->password))
        return SP_ENOMEM;
    if (post->body_len)
        memcpy(job->body, post->body, post->body_len);
    job->body_len = post->body_len;
    job->allows = post->allows;
    job->timeout_s = post->timeout_s;
    return copy_fields(job, post);
}

int posts_send(struct posts *posts, const struct post *post, void (*done)(void *ctx, int rc, const struct why *why),
               void *ctx) {
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return SP_ENOMEM;
    job->posts = posts;
    job->done = done;
    job->ctx = ctx;
    int rc = job_fill(job, post);
    if (!rc)
        rc = work_submit(posts->work, job_run, job_done, job_free, job);
    if (rc)
        job_free(job);
    return rc;
}
