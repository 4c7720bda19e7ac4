/* /api/v1: the history of a machine, as JSON and as CSV. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "recorder.h"
#include "sallyport/base/log.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/relay/overview.h"
#include "sallyport/store/users.h"
#include "web_local.h"

#define SPAN_S 86400 /* when nothing was said */

/* What is asked for. */
struct wish {
    int64_t from, to, step_s;
    bool csv;
};

/* A name out of a file that was damaged may be no text at all. */
static int append_text(struct buf *out, const char *text) {
    return jsonline_append_bare(out, json_string(str_is_clean(text, strlen(text)) ? text : "?"), SIZE_MAX);
}

/* A share needs no more than a few figures, and the answer has many of them. */
static int append_values(struct buf *out, const float *values, size_t n) {
    enum { CHUNK = 64, NUMBER = 16 };
    int rc = buf_append(out, "[", 1);
    for (size_t i = 0; rc == 0 && i < n;) {
        uint8_t *tail;
        char *to;
        size_t used = 0;
        rc = buf_reserve(out, CHUNK * NUMBER, &tail);
        if (rc < 0)
            break;
        to = (char *)tail;
        for (size_t k = 0; k < CHUNK && i < n; k++, i++) {
            const char *comma = i ? "," : "";
            used += (size_t)(isfinite(values[i]) ? snprintf(to + used, NUMBER, "%s%.5g", comma, (double)values[i])
                                                 : snprintf(to + used, NUMBER, "%snull", comma));
        }
        buf_commit(out, used);
    }
    return rc ? rc : buf_append(out, "]", 1);
}

static int append_column(struct buf *out, const struct recorder_column *column, bool first, size_t rows) {
    int rc = buf_printf(out, "%s{\"name\":", first ? "" : ",");
    if (rc == 0)
        rc = append_text(out, column->name);
    if (rc == 0 && column->gpu >= 0)
        rc = buf_printf(out, ",\"gpu\":%lld", (long long)column->gpu);
    if (rc == 0 && column->label[0])
        rc = buf_append(out, ",\"label\":", 9);
    if (rc == 0 && column->label[0])
        rc = append_text(out, column->label);
    if (rc == 0)
        rc = buf_append(out, ",\"values\":", 10);
    if (rc == 0)
        rc = append_values(out, column->values, rows);
    return rc ? rc : buf_append(out, "}", 1);
}

static int print_json(const struct web_visit *visit, const char *machine, const struct recorder_table *table,
                      struct buf *out) {
    char from[21], to[21], lost[1024];
    str_time(from, table->from);
    str_time(to, table->to);
    recorder_lost(visit->web->recorder, lost, sizeof(lost));
    int rc = buf_printf(out, "{\"machine\":\"%s\",\"from\":\"%s\",\"to\":\"%s\",\"step_s\":%lld,\"times\":[", machine,
                        from, to, (long long)table->step_s);
    for (size_t i = 0; rc == 0 && i < table->rows; i++)
        rc = buf_printf(out, "%s%lld", i ? "," : "", (long long)table->times[i]);
    if (rc == 0)
        rc = buf_append(out, "],\"series\":[", 12);
    for (size_t i = 0; rc == 0 && i < table->columns; i++)
        rc = append_column(out, &table->column[i], i == 0, table->rows);
    if (rc == 0)
        rc = buf_append(out, "]", 1);
    if (rc == 0 && lost[0])
        rc = buf_append(out, ",\"lost\":", 8);
    if (rc == 0 && lost[0])
        rc = append_text(out, lost);
    return rc ? rc : buf_append(out, "}\n", 2);
}

/* A field in quotes (RFC 4180 section 2). */
static int append_quoted(struct buf *out, const char *text) {
    int rc = buf_append(out, "\"", 1);
    for (; rc == 0 && *text; text++)
        rc = *text == '"' ? buf_append(out, "\"\"", 2) : buf_append(out, text, 1);
    return rc ? rc : buf_append(out, "\"", 1);
}

static int print_csv(const struct recorder_table *table, struct buf *out) {
    int rc = buf_append(out, "time", 4);
    for (size_t i = 0; rc == 0 && i < table->columns; i++) {
        rc = buf_append(out, ",", 1);
        if (rc == 0)
            rc = append_quoted(out, table->column[i].name);
    }
    for (size_t row = 0; rc == 0 && row < table->rows; row++) {
        char time[21];
        str_time(time, table->times[row]);
        rc = buf_printf(out, "\r\n%s", time);
        for (size_t i = 0; rc == 0 && i < table->columns; i++) {
            double value = (double)table->column[i].values[row];
            rc = isfinite(value) ? buf_printf(out, ",%.5g", value) : buf_append(out, ",", 1);
        }
    }
    return rc ? rc : buf_append(out, "\r\n", 2);
}

/* 0, or has answered what is wrong with it. */
static int read_wish(struct web_visit *visit, struct wish *wish) {
    const char *query = visit->request->query;
    char step[16], format[8] = "json";
    uint64_t seconds = 0;
    wish->to = visit->web->now();
    int rc = web_query_time(query, "to", &wish->to);
    wish->from = wish->to - SPAN_S;
    if (!rc || rc == SP_ENOENT)
        rc = web_query_time(query, "from", &wish->from);
    if (rc && rc != SP_ENOENT) {
        web_answer_api_error(visit, 400, "'from' and 'to' are times such as 2026-11-23T10:00:00Z");
        return rc;
    }
    rc = web_query(query, strlen(query), "step", step, sizeof(step));
    if (!rc)
        rc = str_u64(step, 1, 366 * 86400, &seconds);
    if (rc && rc != SP_ENOENT) {
        web_answer_api_error(visit, 400, "'step' is a number of seconds");
        return rc;
    }
    wish->step_s = (int64_t)seconds;
    rc = web_query(query, strlen(query), "format", format, sizeof(format));
    wish->csv = strcmp(format, "csv") == 0;
    if ((rc && rc != SP_ENOENT) || (!wish->csv && strcmp(format, "json") != 0)) {
        web_answer_api_error(visit, 400, "'format' is json or csv");
        return SP_EFORMAT;
    }
    return 0;
}

static void answer_failure(struct web_visit *visit, int rc) {
    if (rc == SP_ENOENT)
        web_answer_api_error(visit, 404, "there is no machine of that name that you may see");
    else if (rc == SP_EINVAL)
        web_answer_api_error(visit, 400, "'from' comes before 'to', and not more than two years");
    else if (rc == SP_ETOOBIG)
        web_answer_api_error(visit, 400, "that makes more than 5000 rows: ask for a larger step or a shorter time");
    else
        web_answer_api_error(visit, 500, "the history could not be read: the relay's log says why");
    if (rc != SP_ENOENT && rc != SP_EINVAL && rc != SP_ETOOBIG)
        log_error("web: no history: %s", err_text(rc));
}

static void answer_table(struct web_visit *visit, const struct wish *wish, const char *machine,
                         const struct recorder_table *table) {
    struct buf body;
    buf_init(&body);
    int rc = wish->csv ? print_csv(table, &body) : print_json(visit, machine, table, &body);
    if (rc == 0 && wish->csv)
        rc = page_response_header(visit->response, "Content-Disposition", "attachment; filename=\"%s-history.csv\"",
                                  machine);
    if (rc == 0) {
        web_answer_body(visit, 200, wish->csv ? "text/csv; charset=utf-8; header=present" : "application/json", &body);
        return;
    }
    buf_fini(&body);
    answer_failure(visit, rc);
}

void web_api_history(struct web_visit *visit) {
    struct overview overview;
    struct recorder_table table;
    struct wish wish;
    if (!visit->web->recorder) {
        answer_failure(visit, SP_ENOENT);
        return;
    }
    int rc = web_machine(visit, visit->part[0], &overview);
    if (rc) {
        answer_failure(visit, rc);
        return;
    }
    if (read_wish(visit, &wish) == 0) {
        const struct machine_view *view = &overview.views[0];
        rc = recorder_read(visit->web->recorder, view->machine_id, wish.from, wish.to, wish.step_s, &table);
        if (rc == 0) {
            answer_table(visit, &wish, view->name, &table);
            recorder_table_fini(&table);
        } else {
            answer_failure(visit, rc);
        }
    }
    overview_fini(&overview);
}
