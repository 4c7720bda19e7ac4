#include "sallyport/wire/pubkey.h"

#include <errno.h>
#include <libssh/libssh.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pubkey_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"

struct keypair {
    ssh_key key;
    struct pubkey public;
};

static const char *const key_types[] = {
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
};

static bool known_type(const char *type) {
    for (size_t i = 0; i < sizeof key_types / sizeof key_types[0]; i++)
        if (strcmp(type, key_types[i]) == 0)
            return true;
    return false;
}

int pubkey_from_key(ssh_key key, struct pubkey *out) {
    struct pubkey made = {0};
    char *text = NULL;
    unsigned char *hash = NULL;
    char *print = NULL;
    size_t size = 0;
    int rc = SP_ECRYPTO;
    if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK)
        goto out;
    if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) != 0)
        goto out;
    print = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size);
    const char *type = ssh_key_type_to_char(ssh_key_type(key));
    if (ssh_key_type(key) == SSH_KEYTYPE_ECDSA_P256 || ssh_key_type(key) == SSH_KEYTYPE_ECDSA_P384 ||
        ssh_key_type(key) == SSH_KEYTYPE_ECDSA_P521)
        type = ssh_pki_key_ecdsa_name(key);
    if (!print || !type)
        goto out;
    if (str_copy(made.type, sizeof made.type, type) < 0 || str_copy(made.base64, sizeof made.base64, text) < 0 ||
        str_copy(made.fingerprint, sizeof made.fingerprint, print) < 0) {
        rc = SP_ETOOBIG;
        goto out;
    }
    *out = made;
    rc = 0;
out:
    ssh_string_free_char(text);
    if (hash)
        ssh_clean_pubkey_hash(&hash);
    ssh_string_free_char(print);
    return rc;
}

int pubkey_parse(const char *line, struct pubkey *out, struct why *why) {
    char text[2048];
    char *words[3];
    if (str_copy(text, sizeof text, line + strspn(line, " \t")) < 0) {
        why_set(why, "the key is too long: an SSH public key is one line of at most 2000 characters");
        return SP_EFORMAT;
    }
    text[strcspn(text, "\r\n")] = '\0';
    if (str_starts(text, "-----BEGIN")) {
        why_set(why, "this is a private key, which must never leave your machine: give the line in the .pub file");
        return SP_EFORMAT;
    }
    size_t count = 0;
    for (char *rest = text; count < 3 && *rest;) {
        words[count++] = rest;
        if (count == 3)
            break; /* the comment keeps its blanks */
        rest += strcspn(rest, " \t");
        if (*rest)
            *rest++ = '\0';
        rest += strspn(rest, " \t");
    }
    if (count < 2 || !known_type(words[0])) {
        why_set(why,
                "not an SSH public key: it looks like 'ssh-ed25519 AAAAC3Nza... comment' (cat ~/.ssh/id_ed25519.pub)");
        return SP_EFORMAT;
    }
    ssh_key key = NULL;
    struct pubkey made;
    int rc = SP_EFORMAT;
    if (ssh_pki_import_pubkey_base64(words[1], ssh_key_type_from_name(words[0]), &key) != SSH_OK ||
        pubkey_from_key(key, &made) < 0 || strcmp(made.type, words[0]) != 0) {
        why_set(why, "the key is damaged or cut short: copy the whole line of the .pub file again");
        goto out;
    }
    /* RSA: 2048 bits are a blob of 279 bytes, 372 characters. */
    if (strcmp(made.type, "ssh-rsa") == 0 && strlen(made.base64) < 368) {
        why_set(why, "an RSA key below 2048 bits is too weak: make a new one with ssh-keygen -t ed25519");
        goto out;
    }
    if (count == 3) {
        words[2][strcspn(words[2], "\r\n")] = '\0';
        if (strlen(words[2]) >= sizeof made.comment)
            words[2][sizeof made.comment - 1] = '\0';
        if (str_is_clean(words[2], strlen(words[2])))
            (void)str_copy(made.comment, sizeof made.comment, words[2]);
    }
    *out = made;
    rc = 0;
out:
    ssh_key_free(key);
    return rc;
}

static int keypair_make(const char *path, struct why *why) {
    ssh_key key = NULL;
    char *text = NULL;
    int rc = SP_ECRYPTO;
    if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK ||
        ssh_pki_export_privkey_base64(key, NULL, NULL, NULL, &text) != SSH_OK) {
        why_set(why, "cannot make an Ed25519 key: the cryptographic library refused");
        goto out;
    }
    rc = os_write_file(path, text, strlen(text), 0600);
    if (rc < 0)
        why_set(why, "cannot write the key %s: %s. Is the disk full?", path,
                rc == SP_ESYS ? strerror(errno) : err_text(rc));
out:
    if (text)
        secret_wipe(text, strlen(text));
    ssh_string_free_char(text);
    ssh_key_free(key);
    return rc;
}

int keypair_load(const char *path, struct keypair **out, struct why *why) {
    struct stat st;
    if (stat(path, &st) < 0) {
        why_set(why, "cannot read the key %s: %s", path, strerror(errno));
        return errno == ENOENT ? SP_ENOENT : SP_ESYS;
    }
    if (st.st_mode & 077) {
        why_set(why, "the key %s can be read by others: chmod 600 %s", path, path);
        return SP_EDENIED;
    }
    struct keypair *pair = calloc(1, sizeof *pair);
    if (!pair)
        return SP_ENOMEM;
    if (ssh_pki_import_privkey_file(path, NULL, NULL, NULL, &pair->key) != SSH_OK ||
        pubkey_from_key(pair->key, &pair->public) < 0) {
        why_set(why, "%s is not a usable private key (damaged, or protected by a passphrase)", path);
        keypair_free(pair);
        return SP_EFORMAT;
    }
    *out = pair;
    return 0;
}

int keypair_load_or_make(const char *path, struct keypair **out, struct why *why) {
    int rc = keypair_load(path, out, why);
    if (rc != SP_ENOENT)
        return rc;
    rc = keypair_make(path, why);
    return rc < 0 ? rc : keypair_load(path, out, why);
}

void keypair_free(struct keypair *pair) {
    if (!pair)
        return;
    ssh_key_free(pair->key); /* libssh wipes it */
    free(pair);
}

const struct pubkey *keypair_public(const struct keypair *pair) {
    return &pair->public;
}

ssh_key keypair_key(const struct keypair *pair) {
    return pair->key;
}
