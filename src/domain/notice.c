/* Messages as text, JSON and mail. */
#include "sallyport/domain/notice.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sallyport/base/secret.h"
#include "sallyport/domain/jsonline.h"

#define LINE_BYTES 57 /* 76 characters of base64 */

void notice_of_alert(struct notice *notice, const char *machine, const struct alert *alert, enum alert_turn turn) {
    *notice = (struct notice){.since = alert->since, .urgent = alert_is_urgent(alert->kind)};
    snprintf(notice->kind, sizeof(notice->kind), "%s", alert_kind_name(alert->kind));
    snprintf(notice->state, sizeof(notice->state), "%s", turn == ALERT_OFF ? "resolved" : "on");
    snprintf(notice->machine, sizeof(notice->machine), "%s", machine);
    snprintf(notice->object, sizeof(notice->object), "%s", alert->object);
    snprintf(notice->text, sizeof(notice->text), "%s", alert->text);
}

static bool is_resolved(const struct notice *notice) {
    return strcmp(notice->state, "resolved") == 0;
}

static const char *words_of(const struct notice *notice) {
    enum alert_kind kind;
    if (alert_kind_parse(notice->kind, &kind) == 0)
        return alert_kind_words(kind);
    return strcmp(notice->kind, "test") == 0 ? "test" : "more messages";
}

int notice_line(const struct notice *notice, struct buf *out) {
    return buf_printf(out, "%s%s%s", notice->machine, notice->machine[0] ? ": " : "", notice->text);
}

int notice_title(const struct notice *notice, struct buf *out) {
    return buf_printf(out, "%s: %s%s", notice->machine[0] ? notice->machine : "Sallyport",
                      is_resolved(notice) ? "resolved: " : "", words_of(notice));
}

int notice_json(const struct notice *notice, const char *url, struct buf *out) {
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", notice->kind, "machine", notice->machine, "object",
                               notice->object, "state", notice->state, "text", notice->text);
    if (!object || !jsonline_set_time(object, "since", notice->since) || !jsonline_set_text(object, "url", url)) {
        json_decref(object);
        return SP_ENOMEM;
    }
    return jsonline_append(out, object, SIZE_MAX);
}

/* RFC 2045 section 6.8, which wants padding at the end. */
static int append_base64(struct buf *out, const uint8_t *bytes, size_t n) {
    char line[LINE_BYTES / 3 * 4 + 8];
    int rc = 0;
    for (size_t at = 0; !rc && at < n; at += LINE_BYTES) {
        size_t part = n - at < LINE_BYTES ? n - at : LINE_BYTES;
        static const char *const padding[] = {"", "==", "="};
        base64_encode(line, bytes + at, part);
        rc = buf_printf(out, "%s%s\r\n", line, padding[part % 3]);
    }
    return rc;
}

static int append_text(const struct notice *notice, const char *url, struct buf *out) {
    struct buf text;
    buf_init(&text);
    int rc = notice_line(notice, &text);
    if (!rc)
        rc = buf_printf(&text, "\r\n\r\n%s\r\n", url);
    if (!rc)
        rc = append_base64(out, buf_head(&text), buf_len(&text));
    buf_fini(&text);
    return rc;
}

int notice_mail(const struct notice *notice, const char *url, const char *from, const char *to, int64_t now,
                struct buf *out) {
    char id[SECRET_TOKEN_LEN + 1], date[64];
    time_t when = (time_t)now;
    struct tm tm = {0};
    const char *at = strchr(from, '@');
    gmtime_r(&when, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
    int rc = secret_token(id);
    if (!rc)
        rc = buf_printf(out, "Date: %s\r\nFrom: Sallyport <%s>\r\nTo: <%s>\r\nMessage-ID: <%s%s>\r\nSubject: ", date,
                        from, to, id, at ? at : "");
    if (!rc)
        rc = notice_title(notice, out);
    if (!rc)
        rc = buf_printf(out, "\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                             "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    return rc ? rc : append_text(notice, url, out);
}

int notice_priority(const struct notice *notice) {
    if (notice->urgent && !is_resolved(notice))
        return 5;
    return is_resolved(notice) ? 2 : 3;
}

const char *notice_tag(const struct notice *notice) {
    if (strcmp(notice->state, "on") == 0)
        return "warning";
    return is_resolved(notice) ? "white_check_mark" : "information_source";
}
