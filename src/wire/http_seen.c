#include "http_local.h"

#define HOST_MAX 255
#define LENGTH_MAX (UINT64_C(1) << 62)
#define LENGTH_DIGITS_MAX 19

int http_refuse(struct why *why, const char *text) {
    why_set(why, "%s", text);
    return SP_EFORMAT;
}

/* Connection (RFC 9110 section 7.6.1). Naming a field of the frame would take it out for whoever reads next. */
static int note_connection(struct http_seen *seen, struct http_text list, struct why *why) {
    static const char *const kept[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect"};
    struct http_text option;
    while (http_text_split(&list, ',', &option)) {
        if (!http_text_is_all(option, HTTP_CHAR_TOKEN))
            return http_refuse(why, "Connection is no list of names");
        for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
            if (http_text_is(option, kept[i]))
                return http_refuse(why, "Connection names a field that every hop needs");
        seen->close |= http_text_is(option, "close");
        seen->upgrading |= http_text_is(option, "upgrade");
    }
    return 0;
}

/* Some take a tab beside a value for part of it. */
static bool is_tabbed(struct http_text value) {
    const char *before = value.at - 1, *after = value.at + value.len;
    while (*before == ' ')
        before--;
    while (*after == ' ')
        after++;
    return *before == '\t' || *after == '\t';
}

/* A field that delimits the message, or says for whom it is. */
static int note_frame(unsigned *count, struct http_text *kept, struct http_text value, struct why *why) {
    if (is_tabbed(value))
        return http_refuse(why, "a tab stands beside the value of Host, Content-Length or Transfer-Encoding");
    ++*count;
    *kept = value;
    return 0;
}

int http_seen_note(struct http_seen *seen, const struct http_field *field, struct why *why) {
    switch (field->name.len) {
    case 4:
        if (http_text_is(field->name, "Host"))
            return note_frame(&seen->hosts, &seen->host, field->value, why);
        break;
    case 7:
        if (http_text_is(field->name, "Upgrade")) {
            seen->upgrades++;
            seen->upgrade = field->value;
        }
        break;
    case 10:
        if (http_text_is(field->name, "Connection"))
            return note_connection(seen, field->value, why);
        break;
    case 14:
        if (http_text_is(field->name, "Content-Length"))
            return note_frame(&seen->lengths, &seen->length, field->value, why);
        break;
    case 16: /* of no standard, but obeyed by some as if it were Connection */
        if (http_text_is(field->name, "Proxy-Connection"))
            seen->close |= http_list_has(field->value, "close");
        break;
    case 17:
        if (http_text_is(field->name, "Transfer-Encoding"))
            return note_frame(&seen->codings, &seen->coding, field->value, why);
        if (http_text_is(field->name, "Sec-WebSocket-Key"))
            seen->keys++;
        break;
    default:
        break;
    }
    return 0;
}

static int read_length(struct http_text text, uint64_t *out, struct why *why) {
    uint64_t length = 0;
    if (text.len == 0 || text.len > LENGTH_DIGITS_MAX)
        return http_refuse(why, "Content-Length is not one number");
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return http_refuse(why, "Content-Length is not one number");
        length = length * 10 + (uint64_t)(text.at[i] - '0');
    }
    if (length > LENGTH_MAX)
        return http_refuse(why, "Content-Length is too large");
    *out = length;
    return 0;
}

/* The frame as the fields give it (RFC 9112 section 6); who is exempt from it comes after. */
static int read_frame(const struct http_seen *seen, struct http_head *head, struct why *why) {
    head->framing = HTTP_NO_BODY;
    head->length = 0;
    if (seen->codings && seen->lengths)
        return http_refuse(why, "it has Content-Length and Transfer-Encoding");
    if (seen->codings > 1 || seen->lengths > 1)
        return http_refuse(why, "Content-Length or Transfer-Encoding stands there twice");
    if (seen->codings) {
        if (!http_text_equal(seen->coding, "chunked"))
            return http_refuse(why, "Transfer-Encoding is not exactly chunked");
        if (head->minor == 0)
            return http_refuse(why, "HTTP/1.0 has no Transfer-Encoding");
        head->framing = HTTP_CHUNKED;
    } else if (seen->lengths) {
        int rc = read_length(seen->length, &head->length, why);
        if (rc)
            return rc;
        head->framing = head->length ? HTTP_LENGTH : HTTP_NO_BODY;
    }
    return 0;
}

static bool names_websocket(const struct http_seen *seen, const struct http_head *head) {
    return head->minor == 1 && seen->upgrading && seen->upgrades == 1 && http_text_is(seen->upgrade, "websocket");
}

/* Looks like HOST or HOST:PORT (RFC 9110 section 7.2); which of them are ours is for others to say. */
static bool is_host(struct http_text host) {
    if (host.len == 0 || host.len > HOST_MAX || host.at[0] == ':' || host.at[0] == '.' ||
        !http_text_is_all(host, HTTP_CHAR_HOST))
        return false;
    for (size_t i = 1; i < host.len; i++)
        if (host.at[i] == '.' && host.at[i - 1] == '.')
            return false;
    return true;
}

int http_seen_request(const struct http_seen *seen, struct http_head *head, struct why *why) {
    if (seen->hosts != 1)
        return http_refuse(why, seen->hosts ? "there are several Host fields" : "there is no Host field");
    if (!is_host(seen->host))
        return http_refuse(why, "Host is no name of a host");
    int rc = read_frame(seen, head, why);
    if (rc)
        return rc;
    if (head->minor == 0 && seen->lengths)
        return http_refuse(why, "HTTP/1.0 with Content-Length");
    head->host = seen->host;
    head->status = 0;
    /* What follows a wish to upgrade is of no known protocol until it is answered: some read no request there. */
    head->keep = head->minor == 1 && !seen->close && !seen->upgrades;
    head->websocket = names_websocket(seen, head) && http_text_equal(head->method, "GET") && seen->keys == 1 &&
                      head->framing == HTTP_NO_BODY;
    return 0;
}

int http_seen_response(const struct http_seen *seen, bool to_head, bool upgrade, struct http_head *head,
                       struct why *why) {
    int rc = read_frame(seen, head, why);
    if (rc)
        return rc;
    bool interim = head->status < 200;
    if ((interim || head->status == 204) && (seen->codings || head->length || (interim && seen->lengths)))
        return http_refuse(why, "a response that has no body describes one");
    head->websocket = head->status == 101 && upgrade && names_websocket(seen, head);
    if (head->status == 101 && !head->websocket)
        return http_refuse(why, "it switches to a protocol that was not asked for");
    if (interim || head->status == 204 || head->status == 304 || to_head) {
        head->framing = HTTP_NO_BODY;
        head->length = 0;
    } else if (!seen->codings && !seen->lengths) {
        head->framing = HTTP_UNTIL_END;
    }
    head->method = head->target = head->host = (struct http_text){NULL, 0};
    head->keep = head->minor == 1 && !seen->close && head->framing != HTTP_UNTIL_END;
    return 0;
}
