/* The names of the machine's accounts. */
#ifndef SALLYPORT_PROBE_ACCOUNTS_H
#define SALLYPORT_PROBE_ACCOUNTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ACCOUNT_NAME_SIZE 64

/* The name of an account as /etc/passwd has it, else its number: name services (LDAP) are not asked, since that may take
 * long. */
void account_name(const char *root, uid_t uid, char to[static ACCOUNT_NAME_SIZE]);

/* The same from the text of a passwd(5) file. */
void account_parse(const char *text, size_t len, uid_t uid, char to[static ACCOUNT_NAME_SIZE]);

#endif
