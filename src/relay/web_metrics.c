/* GET /metrics: the relay, and the machines that the one who asks may see. */
#include <math.h>
#include <stdio.h>

#include "metrics.h"
#include "sallyport/base/log.h"
#include "sallyport/store/users.h"
#include "sallyport_version.h"
#include "web_conn.h"

static void add_machines(struct metrics *metrics, const struct overview *machines) {
    size_t online = 0;
    for (size_t i = 0; i < machines->count; i++)
        online += machines->views[i].online;
    metrics_one(metrics, "sallyport_machines_known", METRIC_GAUGE, "Machines in the registry.",
                (double)machines->count);
    metrics_one(metrics, "sallyport_machines_online", METRIC_GAUGE, "Machines that are connected.", (double)online);
    metrics_begin(metrics, "sallyport_machine_up", METRIC_GAUGE, "Is the machine connected?");
    for (size_t i = 0; i < machines->count; i++) {
        const struct metric_label labels[] = {{"machine", machines->views[i].name}, {NULL, NULL}};
        metrics_add(metrics, "sallyport_machine_up", labels, machines->views[i].online);
    }
    metrics_begin(metrics, "sallyport_machine_service_up", METRIC_GAUGE, "Does the service of the machine answer?");
    for (size_t i = 0; i < machines->count; i++) {
        const struct machine_view *view = &machines->views[i];
        for (size_t j = 0; view->online && j < view->service_count; j++) {
            const struct service *service = &view->services[j];
            const struct metric_label labels[] = {{"machine", view->name},
                                                  {"service", service->name},
                                                  {"kind", service_kind_name(service->kind)},
                                                  {NULL, NULL}};
            metrics_add(metrics, "sallyport_machine_service_up", labels, service->up);
        }
    }
    metrics_add_states(metrics, machines);
}

/* A metric whose samples differ in one label. */
static void add_pair(struct metrics *metrics, const char *name, const char *help, const char *label,
                     const char *const values[static 2], uint64_t first, uint64_t second) {
    metrics_begin(metrics, name, METRIC_COUNTER, help);
    metrics_add(metrics, name, (struct metric_label[]){{label, values[0]}, {NULL, NULL}}, (double)first);
    metrics_add(metrics, name, (struct metric_label[]){{label, values[1]}, {NULL, NULL}}, (double)second);
}

static void add_door(struct metrics *metrics, const struct relay_counters *counters) {
    add_pair(metrics, "sallyport_spliced_streams_total",
             "Streams that people asked for at the relay's door by a ticket.", "result",
             (const char *const[]){"opened", "refused"}, counters->spliced_opened, counters->spliced_refused);
    add_pair(metrics, "sallyport_spliced_bytes_total", "What those streams carried.", "direction",
             (const char *const[]){"to_machines", "from_machines"}, counters->spliced_to_machines_bytes,
             counters->spliced_from_machines_bytes);
    metrics_one(metrics, "sallyport_spliced_streams_open", METRIC_GAUGE, "Those streams that are open.",
                (double)counters->spliced_open);
    add_pair(metrics, "sallyport_tickets_total", "Questions for the ways to a service.", "result",
             (const char *const[]){"answered", "refused"}, counters->asks_answered, counters->asks_refused);
    add_pair(metrics, "sallyport_proofs_total", "Connections to where machines say that their doors are.", "result",
             (const char *const[]){"verified", "failed"}, counters->proofs_verified, counters->proofs_failed);
}

static void add_relay(struct metrics *metrics, const struct web *web) {
    struct relay_counters counters = {.streams_open = 0};
    if (web->count)
        web->count(web->count_ctx, &counters);
    add_pair(metrics, "sallyport_ssh_logins_total", "SSH logins; each key that is refused counts.", "result",
             (const char *const[]){"accepted", "refused"}, counters.logins_accepted, counters.logins_refused);
    add_pair(metrics, "sallyport_streams_total", "Streams to services of machines that people asked for by SSH.",
             "result", (const char *const[]){"opened", "refused"}, counters.streams_opened, counters.streams_refused);
    add_pair(metrics, "sallyport_stream_bytes_total", "What those streams carried.", "direction",
             (const char *const[]){"to_machines", "from_machines"}, counters.to_machines_bytes,
             counters.from_machines_bytes);
    metrics_one(metrics, "sallyport_streams_open", METRIC_GAUGE, "Those streams that are open.",
                (double)counters.streams_open);
    add_door(metrics, &counters);
}

static void add_requests(struct metrics *metrics, const char *host, const uint64_t counts[static COUNTERS_CLASSES]) {
    for (size_t i = 1; i < COUNTERS_CLASSES; i++) {
        char class[8];
        snprintf(class, sizeof(class), "%zuxx", i);
        metrics_add(metrics, "sallyport_web_requests_total",
                    (struct metric_label[]){{"host", host}, {"class", class}, {NULL, NULL}}, (double)counts[i]);
    }
}

static void add_web(struct metrics *metrics, const struct web *web) {
    int64_t not_after = tls_server_not_after(web->tls);
    metrics_begin(metrics, "sallyport_web_requests_total", METRIC_COUNTER,
                  "Requests to the relay's own pages and to services, by the class of the answer's status.");
    add_requests(metrics, "relay", web->counters.page_requests);
    add_requests(metrics, "service", web->counters.service_requests);
    metrics_one(metrics, "sallyport_web_service_bytes_total", METRIC_COUNTER,
                "Bodies and WebSocket traffic of services, both ways.", (double)web->counters.carried_bytes);
    metrics_one(metrics, "sallyport_web_websockets_total", METRIC_COUNTER, "WebSockets that were opened.",
                (double)web->counters.websockets_opened);
    metrics_one(metrics, "sallyport_tls_failures_total", METRIC_COUNTER, "TLS handshakes that came to nothing.",
                (double)web->counters.handshakes_failed);
    metrics_one(metrics, "sallyport_web_connections", METRIC_GAUGE, "Connections of browsers.",
                (double)web->conn_count);
    metrics_one(metrics, "sallyport_web_listeners", METRIC_GAUGE, "Pages that are kept up to date.",
                (double)web_events_count(web->events));
    metrics_one(metrics, "sallyport_certificate_expiry_timestamp_seconds", METRIC_GAUGE,
                "When the certificate ends, seconds since 1970 in UTC.", not_after ? (double)not_after : (double)NAN);
}

static int print(struct web_visit *visit, struct buf *body) {
    const struct overview_source *source = &visit->web->source;
    const struct metric_label version[] = {{"version", SALLYPORT_VERSION}, {NULL, NULL}};
    struct metrics metrics = {.out = body};
    struct policy_subject viewer;
    struct overview machines;
    int rc = store_user_subject(source->store, visit->asker->user.id, &viewer);
    if (rc)
        return rc;
    rc = overview_load(source, &viewer, &machines);
    policy_subject_fini(&viewer);
    if (rc)
        return rc;
    metrics_begin(&metrics, "sallyport_build_info", METRIC_GAUGE, "The version of the relay.");
    metrics_add(&metrics, "sallyport_build_info", version, 1);
    metrics_process(&metrics, visit->web->started);
    add_relay(&metrics, visit->web);
    add_web(&metrics, visit->web);
    add_machines(&metrics, &machines);
    overview_fini(&machines);
    return metrics.rc;
}

void web_metrics(struct web_visit *visit) {
    struct buf body;
    buf_init(&body);
    int rc = print(visit, &body);
    if (!rc) {
        web_answer_body(visit, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
        return;
    }
    buf_fini(&body);
    log_error("web: no metrics: %s", err_text(rc));
    web_answer_api_error(visit, 500, "the metrics could not be made: the relay's log says why");
}
