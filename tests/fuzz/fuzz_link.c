/* The link: any bytes as a line; what was understood can be written and understood again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "sallyport/domain/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int format(struct buf *out, const struct link_message *message) {
    switch (message->kind) {
    case LINK_HELLO:
        return link_format_hello(out, &message->hello);
    case LINK_SERVICES:
        return link_format_services(out, message->services.list, message->services.count);
    case LINK_STATUS:
        return link_format_status(out, &message->status);
    case LINK_PING:
        return link_format_ping(out, message->n);
    case LINK_WELCOME:
        return link_format_welcome(out, &message->welcome);
    case LINK_PONG:
        return link_format_pong(out, &message->pong);
    case LINK_REACH:
        return link_format_reach(out, &message->reach);
    case LINK_VERIFY:
        return link_format_verify(out, &message->verify);
    case LINK_OPEN:
    case LINK_PUNCH:
        return link_format_call(out, message->kind, &message->call);
    case LINK_END:
        return link_format_end(out, &message->end);
    case LINK_LAN:
        return link_format_lan(out, &message->lan);
    case LINK_WAKE:
        return link_format_wake(out, &message->wake);
    case LINK_PUBLISH:
        return link_format_publish(out, &message->publish);
    case LINK_ERROR:
        return link_format_error(out, message->text);
    case LINK_UNKNOWN:
    case LINK_OTHER:
        break;
    }
    return link_format_unknown(out, message->of);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct link_message message, again;
    struct why why;
    struct buf line;
    if (link_parse((const char *)data, size, &message, &why))
        return 0;
    buf_init(&line);
    int rc = format(&line, &message);
    if (rc && rc != SP_ETOOBIG)
        abort();
    if (!rc && link_parse((const char *)buf_head(&line), buf_len(&line), &again, &why))
        abort();
    if (!rc)
        link_message_fini(&again);
    buf_fini(&line);
    link_message_fini(&message);
    return 0;
}
