#include "sallyport/wire/ssh_probe.h"

#include <stdio.h>

#include "pubkey_local.h"

static const char nobody[] = "sallyport-asks-for-methods";

static int probe_set(ssh_session session, const char *host, uint16_t port, unsigned timeout_s) {
    unsigned number = port;
    long timeout = (long)timeout_s;
    bool no = false;
    /* PROCESS_CONFIG first: nobody's ssh_config has a say in this. */
    if (ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no) < 0 ||
        ssh_options_set(session, SSH_OPTIONS_HOST, host) < 0 ||
        ssh_options_set(session, SSH_OPTIONS_PORT, &number) < 0 ||
        ssh_options_set(session, SSH_OPTIONS_USER, nobody) < 0 ||
        ssh_options_set(session, SSH_OPTIONS_TIMEOUT, &timeout) < 0)
        return SP_ENOMEM;
    return 0;
}

static int probe_host_key(ssh_session session, struct ssh_probe *out) {
    ssh_key key = NULL;
    struct pubkey found;
    if (ssh_get_server_publickey(session, &key) != SSH_OK)
        return SP_ECRYPTO;
    int rc = pubkey_from_key(key, &found);
    ssh_key_free(key);
    if (rc < 0)
        return rc;
    int n = snprintf(out->host_key, sizeof out->host_key, "%s %s", found.type, found.base64);
    return n > 0 && (size_t)n < sizeof out->host_key ? 0 : SP_ETOOBIG;
}

static int probe_logins(ssh_session session, struct ssh_probe *out) {
    int rc = ssh_userauth_none(session, NULL);
    if (rc == SSH_AUTH_ERROR)
        return SP_ECLOSED;
    out->open = rc == SSH_AUTH_SUCCESS;
    unsigned methods = (unsigned)ssh_userauth_list(session, NULL);
    if (!methods && !out->open)
        return SP_EFORMAT;
    out->password = (methods & SSH_AUTH_METHOD_PASSWORD) != 0;
    out->interactive = (methods & SSH_AUTH_METHOD_INTERACTIVE) != 0;
    return 0;
}

int ssh_probe_ask(const char *host, uint16_t port, unsigned timeout_s, bool logins, struct ssh_probe *out) {
    struct ssh_probe found = {0};
    ssh_session session = ssh_new();
    if (!session)
        return SP_ENOMEM;
    int rc = probe_set(session, host, port, timeout_s);
    if (rc == 0 && ssh_connect(session) != SSH_OK)
        rc = SP_ECLOSED;
    if (rc == 0)
        rc = probe_host_key(session, &found);
    if (rc == 0 && logins)
        rc = probe_logins(session, &found);
    if (rc == 0)
        *out = found;
    ssh_disconnect(session);
    ssh_free(session);
    return rc;
}
