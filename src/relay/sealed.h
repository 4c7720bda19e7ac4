/* The relay's own restraint: once it serves, it can open only what it needs, whatever a stranger makes of its parsers. */
#ifndef SALLYPORT_RELAY_SEALED_H
#define SALLYPORT_RELAY_SEALED_H

struct relay;

/* Seals the relay for the rest of its life (base/seal.h), unless the configuration says otherwise; says in the log how
 * that went. A relay that cannot be sealed goes on. To be called when all ports are bound, and before any thread starts:
 * threads that are there already stay as they are. */
void sealed_apply(struct relay *relay);

/* What to add to the complaint about a file that could not be read: a remedy when the seal is the reason, else "". errno
 * stays as it was. */
const char *sealed_hint(const char *path);

#endif
