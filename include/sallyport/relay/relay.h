/* The relay: one public TCP port through which people reach machines. */
#ifndef SALLYPORT_RELAY_RELAY_H
#define SALLYPORT_RELAY_RELAY_H

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"
#include "sallyport/base/options.h"

struct relay;

struct relay_config {
    char *state;                         /* folder; NULL: os_default_state */
    struct option_list listen;           /* ADDR:PORT, [V6]:PORT, *:PORT */
    char *name;                          /* public host name or address; NULL: that of the machine */
    uint64_t public_port;                /* as people dial it; 0: that of the first `listen` */
    char *certificate, *certificate_key; /* PEM files; NULL: self-made ones in the state folder */
    char *acme_webroot;                  /* folder of http-01 challenges; NULL: "acme" in the state folder */
    char *smtp_url;                      /* of the server that takes mail; NULL: no mail is sent */
    char *smtp_user, *smtp_password_file;
    char *mail_from;     /* NULL: sallyport@NAME */
    char *prices;        /* file with what GPUs cost in clouds; NULL: the usual one */
    uint64_t max_guests; /* connections that have not logged in */
    bool sandbox;        /* whether it seals itself off from what it does not need */
    int log_level;
};

/* For options_init and options_read. */
extern const struct option_table relay_options;

/* What the table of options cannot check: 0 or SP_EINVAL with why. */
int relay_config_check(const struct relay_config *config, struct why *why);

/* What only shows when it is tried: can the certificate that was given be used, and what of the prices? 0, or an
 * error with why. */
int relay_config_try(const struct relay_config *config, struct why *why);

/* Opens the state folder, the ports and the local socket. The configuration is used until relay_free. SP_EBUSY: a port
 * or the state folder is in use; others with why. */
int relay_new(struct loop *loop, const struct relay_config *config, struct relay **out, struct why *why);
/* Ends everything that is live, politely. NULL is allowed. */
void relay_free(struct relay *relay);

/* Asks the relay that runs with this configuration, over its control socket: a verb in `words`, `input` as its standard
 * input (NULL: none). What it prints is appended to out and err. SP_ENOENT: none is running there; others as local_call
 * says, with why. */
int relay_ask(const struct relay_config *config, char *const *words, size_t count, const char *input, size_t input_len,
              struct buf *out, struct buf *err, int *exit_status, struct why *why);

#endif
