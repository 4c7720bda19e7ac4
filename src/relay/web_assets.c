/* The files of web/, as they were written, inside the program. The build tells the assembler where they lie. */
#include <stdio.h>
#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/digest.h"
#include "web_local.h"

#define ASSET(name, file) \
    __asm__(".pushsection .rodata\n" \
            ".hidden web_" #name "\n.hidden web_" #name "_end\n" \
            ".global web_" #name "\n.global web_" #name "_end\n" \
            "web_" #name ":\n.incbin \"" file "\"\n" \
            "web_" #name "_end:\n.popsection\n"); \
    extern const uint8_t web_##name[], web_##name##_end[]

ASSET(index_html, "index.html");
ASSET(machine_html, "machine.html");
ASSET(alerts_html, "alerts.html");
ASSET(login_html, "login.html");
ASSET(error_html, "error.html");
ASSET(style_css, "style.css");
ASSET(detail_css, "detail.css");
ASSET(api_js, "api.js");
ASSET(alerts_js, "alerts.js");
ASSET(app_js, "app.js");
ASSET(channels_js, "channels.js");
ASSET(chart_js, "chart.js");
ASSET(choice_js, "choice.js");
ASSET(claims_js, "claims.js");
ASSET(condition_js, "condition.js");
ASSET(copy_js, "copy.js");
ASSET(dialog_js, "dialog.js");
ASSET(dom_js, "dom.js");
ASSET(gpu_blocks_js, "gpu_blocks.js");
ASSET(gpus_js, "gpus.js");
ASSET(history_js, "history.js");
ASSET(invite_js, "invite.js");
ASSET(lists_js, "lists.js");
ASSET(live_js, "live.js");
ASSET(machine_js, "machine.js");
ASSET(machines_js, "machines.js");
ASSET(meter_js, "meter.js");
ASSET(news_js, "news.js");
ASSET(pay_js, "pay.js");
ASSET(quiet_js, "quiet.js");
ASSET(reach_js, "reach.js");
ASSET(services_js, "services.js");
ASSET(sessions_js, "sessions.js");
ASSET(settings_js, "settings.js");
ASSET(shell_js, "shell.js");
ASSET(table_js, "table.js");
ASSET(text_js, "text.js");
ASSET(uplot_js, "vendor/uplot/uPlot.iife.min.js");
ASSET(uplot_css, "vendor/uplot/uPlot.min.css");
ASSET(icon_svg, "icon.svg");
ASSET(openapi_json, "openapi.json");

#define JAVASCRIPT "text/javascript; charset=utf-8"
#define STYLE "text/css; charset=utf-8"

struct asset {
    const char *name, *type;
    const uint8_t *start, *end;
};

static const struct asset assets[WEB_ASSETS] = {
    {"style.css", STYLE, web_style_css, web_style_css_end},
    {"detail.css", STYLE, web_detail_css, web_detail_css_end},
    {"api.js", JAVASCRIPT, web_api_js, web_api_js_end},
    {"alerts.js", JAVASCRIPT, web_alerts_js, web_alerts_js_end},
    {"app.js", JAVASCRIPT, web_app_js, web_app_js_end},
    {"channels.js", JAVASCRIPT, web_channels_js, web_channels_js_end},
    {"chart.js", JAVASCRIPT, web_chart_js, web_chart_js_end},
    {"choice.js", JAVASCRIPT, web_choice_js, web_choice_js_end},
    {"claims.js", JAVASCRIPT, web_claims_js, web_claims_js_end},
    {"condition.js", JAVASCRIPT, web_condition_js, web_condition_js_end},
    {"copy.js", JAVASCRIPT, web_copy_js, web_copy_js_end},
    {"dialog.js", JAVASCRIPT, web_dialog_js, web_dialog_js_end},
    {"dom.js", JAVASCRIPT, web_dom_js, web_dom_js_end},
    {"gpu_blocks.js", JAVASCRIPT, web_gpu_blocks_js, web_gpu_blocks_js_end},
    {"gpus.js", JAVASCRIPT, web_gpus_js, web_gpus_js_end},
    {"history.js", JAVASCRIPT, web_history_js, web_history_js_end},
    {"invite.js", JAVASCRIPT, web_invite_js, web_invite_js_end},
    {"lists.js", JAVASCRIPT, web_lists_js, web_lists_js_end},
    {"live.js", JAVASCRIPT, web_live_js, web_live_js_end},
    {"machine.js", JAVASCRIPT, web_machine_js, web_machine_js_end},
    {"machines.js", JAVASCRIPT, web_machines_js, web_machines_js_end},
    {"meter.js", JAVASCRIPT, web_meter_js, web_meter_js_end},
    {"news.js", JAVASCRIPT, web_news_js, web_news_js_end},
    {"pay.js", JAVASCRIPT, web_pay_js, web_pay_js_end},
    {"quiet.js", JAVASCRIPT, web_quiet_js, web_quiet_js_end},
    {"reach.js", JAVASCRIPT, web_reach_js, web_reach_js_end},
    {"services.js", JAVASCRIPT, web_services_js, web_services_js_end},
    {"sessions.js", JAVASCRIPT, web_sessions_js, web_sessions_js_end},
    {"settings.js", JAVASCRIPT, web_settings_js, web_settings_js_end},
    {"shell.js", JAVASCRIPT, web_shell_js, web_shell_js_end},
    {"table.js", JAVASCRIPT, web_table_js, web_table_js_end},
    {"text.js", JAVASCRIPT, web_text_js, web_text_js_end},
    {"uPlot.iife.min.js", JAVASCRIPT, web_uplot_js, web_uplot_js_end},
    {"uPlot.min.css", STYLE, web_uplot_css, web_uplot_css_end},
    {"icon.svg", "image/svg+xml", web_icon_svg, web_icon_svg_end},
};

int web_assets_hash(char etags[static WEB_ASSETS][WEB_ETAG_SIZE]) {
    for (size_t i = 0; i < WEB_ASSETS; i++) {
        uint8_t hash[DIGEST_SIZE];
        char hex[33];
        int rc = digest_sha256(assets[i].start, (size_t)(assets[i].end - assets[i].start), hash);
        if (rc) {
            return rc;
        }
        hex_encode(hex, hash, 16);
        snprintf(etags[i], WEB_ETAG_SIZE, "\"%s\"", hex);
    }
    return 0;
}

bool web_asset_find(const struct web *web, const char *name, struct web_asset *out) {
    for (size_t i = 0; i < WEB_ASSETS; i++) {
        const struct asset *asset = &assets[i];
        if (strcmp(asset->name, name) == 0) {
            *out = (struct web_asset){asset->type, asset->start, (size_t)(asset->end - asset->start), web->etags[i]};
            return true;
        }
    }
    return false;
}

void web_answer_asset(struct web_visit *visit) {
    struct page_response *response = visit->response;
    struct web_asset asset;
    if (!web_asset_find(visit->web, visit->request->path + strlen("/assets/"), &asset)) {
        web_answer_error(visit, 404, "Nothing here", "There is no page with this address.");
        return;
    }
    /* The address of an asset stays the same from version to version: so browsers ask each time, and mostly hear
     * that nothing has changed. */
    const char *known = page_request_header(visit->request, "If-None-Match");
    if (page_response_header(response, "ETag", "%s", asset.etag) ||
        page_response_header(response, "Cache-Control", "no-cache")) {
        return;
    }
    if (known && strstr(known, asset.etag)) {
        response->status = 304;
        return;
    }
    response->status = 200;
    response->type = asset.type;
    response->fixed = asset.bytes;
    response->fixed_len = asset.len;
}

static void answer_page(struct web_visit *visit, const uint8_t *start, const uint8_t *end) {
    if (page_response_header(visit->response, "Cache-Control", "no-store") == 0) {
        visit->response->status = 200;
        visit->response->type = "text/html; charset=utf-8";
        visit->response->fixed = start;
        visit->response->fixed_len = (size_t)(end - start);
    }
}

void web_answer_index(struct web_visit *visit) {
    answer_page(visit, web_index_html, web_index_html_end);
}

void web_answer_machine(struct web_visit *visit) {
    answer_page(visit, web_machine_html, web_machine_html_end);
}

void web_answer_alerts(struct web_visit *visit) {
    answer_page(visit, web_alerts_html, web_alerts_html_end);
}

void web_api_openapi(struct web_visit *visit) {
    if (page_response_header(visit->response, "Cache-Control", "no-store") == 0) {
        visit->response->status = 200;
        visit->response->type = "application/json";
        visit->response->fixed = web_openapi_json;
        visit->response->fixed_len = (size_t)(web_openapi_json_end - web_openapi_json);
    }
}

static int append_escaped(struct buf *out, const char *text) {
    int rc = 0;
    for (; *text && !rc; text++) {
        switch (*text) {
        case '&':
            rc = buf_printf(out, "&amp;");
            break;
        case '<':
            rc = buf_printf(out, "&lt;");
            break;
        case '>':
            rc = buf_printf(out, "&gt;");
            break;
        case '"':
            rc = buf_printf(out, "&quot;");
            break;
        default:
            rc = buf_append(out, text, 1);
            break;
        }
    }
    return rc;
}

/* The value for the place that begins at `at`, just behind its braces; NULL: none of that name. */
static const char *field_at(const uint8_t *at, size_t left, const char *const (*fields)[2], size_t n, size_t *skip) {
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(fields[i][0]);
        if (len + 2 <= left && memcmp(at, fields[i][0], len) == 0 && memcmp(at + len, "}}", 2) == 0) {
            *skip = len + 2;
            return fields[i][1];
        }
    }
    return NULL;
}

int web_template_fill(enum web_template which, const char *const (*fields)[2], size_t n, struct buf *out) {
    bool login = which == WEB_TEMPLATE_LOGIN;
    const uint8_t *at = login ? web_login_html : web_error_html, *end = login ? web_login_html_end : web_error_html_end;
    int rc = 0;
    while (!rc && at < end) {
        const uint8_t *mark = memmem(at, (size_t)(end - at), "{{", 2);
        const uint8_t *stop = mark ? mark : end;
        size_t skip = 0;
        rc = buf_append(out, at, (size_t)(stop - at));
        at = stop;
        if (rc || !mark) {
            continue;
        }
        const char *value = field_at(mark + 2, (size_t)(end - mark) - 2, fields, n, &skip);
        rc = value ? append_escaped(out, value) : buf_append(out, "{{", 2);
        at += 2 + skip;
    }
    return rc;
}
