#include "filesystems.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

#define MOUNTINFO_MAX (1024UL * 1024)

static bool is_among(const char *word, const char *const *list) {
    for (; *list != NULL; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

static bool is_real(const char *type, const char *path) {
    static const char *const disks[] = {"ext2",     "ext3",  "ext4",   "xfs",   "btrfs",   "f2fs",
                                        "vfat",     "exfat", "ntfs",   "ntfs3", "fuseblk", "zfs",
                                        "bcachefs", "jfs",   "nilfs2", "msdos", "hfsplus", NULL};
    static const char *const remote[] = {"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "afs", NULL};
    /* the root counts whatever it is (overlay in a container), unless a call on it may hang */
    if (strcmp(path, "/") == 0)
        return !is_among(type, remote) && !str_starts(type, "fuse.");
    return is_among(type, disks);
}

/* Blanks in a path stand as \040 in mountinfo. */
static bool unescape(const char *from, char *to, size_t size) {
    size_t n = 0;
    while (*from != '\0') {
        char c = *from++;
        if (c == '\\' && from[0] >= '0' && from[0] <= '3' && from[1] >= '0' && from[1] <= '7' && from[2] >= '0' &&
            from[2] <= '7') {
            c = (char)((from[0] - '0') * 64 + (from[1] - '0') * 8 + (from[2] - '0'));
            from += 3;
        }
        if (n + 1 >= size)
            return false;
        to[n++] = c;
    }
    to[n] = '\0';
    return str_is_clean(to, n);
}

/* id parent MAJOR:MINOR ROOT PATH options [optional..] - TYPE source superoptions */
static bool parse_mount(char *line, struct mount *out) {
    char *fields[5];
    char *rest = NULL;
    *out = (struct mount){0};
    for (size_t i = 0; i < 5; i++) {
        fields[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);
        if (fields[i] == NULL)
            return false;
    }
    char *word = strtok_r(NULL, " ", &rest);
    while (word != NULL && strcmp(word, "-") != 0)
        word = strtok_r(NULL, " ", &rest);
    const char *type = strtok_r(NULL, " ", &rest);
    if (word == NULL || type == NULL)
        return false;
    out->whole = strcmp(fields[3], "/") == 0;
    return str_copy(out->device, sizeof out->device, fields[2]) == 0 &&
           unescape(fields[4], out->path, sizeof out->path) && str_copy(out->type, sizeof out->type, type) == 0;
}

static void mounts_remove(struct mounts *mounts, size_t at) {
    memmove(&mounts->items[at], &mounts->items[at + 1], (mounts->count - at - 1) * sizeof mounts->items[0]);
    mounts->count--;
}

/* One entry a device: the whole filesystem before a part of it (a bind mount), the shorter path before the longer. */
static void mounts_add(struct mounts *mounts, const struct mount *mount) {
    for (size_t i = 0; i < mounts->count; i++) {
        if (strcmp(mounts->items[i].path, mount->path) == 0) {
            mounts_remove(mounts, i); /* what is mounted later hides what was there */
            break;
        }
    }
    if (!is_real(mount->type, mount->path))
        return;
    for (size_t i = 0; i < mounts->count; i++) {
        struct mount *other = &mounts->items[i];
        if (strcmp(other->device, mount->device) != 0)
            continue;
        bool better = mount->whole != other->whole ? mount->whole : strlen(mount->path) < strlen(other->path);
        if (better)
            *other = *mount;
        return;
    }
    if (mounts->count < STATUS_FILESYSTEMS_MAX)
        mounts->items[mounts->count++] = *mount;
}

static int64_t times(uint64_t blocks, uint64_t size) {
    return size != 0 && blocks > (uint64_t)INT64_MAX / size ? INT64_MAX : (int64_t)(blocks * size);
}

/* False for what is no folder (containers have single files mounted) and for what has no size. */
static bool measure(const char *root, const struct mount *mount, struct statvfs *out) {
    char path[1024];
    struct stat info;
    int n = snprintf(path, sizeof path, "%s%s", root, mount->path);
    if (n < 0 || (size_t)n >= sizeof path || stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return false;
    return statvfs(path, out) == 0 && out->f_blocks != 0 && out->f_bfree <= out->f_blocks;
}

static int tell(const struct mount *mount, const struct statvfs *space, struct status *out) {
    struct filesystem *filesystem = status_add(out, "filesystems");
    if (filesystem == NULL)
        return SP_ENOMEM;
    memcpy(filesystem->mount, mount->path, sizeof filesystem->mount);
    memcpy(filesystem->type, mount->type, sizeof filesystem->type);
    filesystem->total_bytes = times(space->f_blocks, space->f_frsize);
    filesystem->used_bytes = times(space->f_blocks - space->f_bfree, space->f_frsize);
    filesystem->available_bytes = times(space->f_bavail, space->f_frsize);
    /* btrfs makes them as they are needed, and says 0 */
    if (space->f_files > 0 && space->f_files <= INT64_MAX && space->f_ffree <= space->f_files) {
        filesystem->inodes_total = (int64_t)space->f_files;
        filesystem->inodes_used = (int64_t)(space->f_files - space->f_ffree);
    }
    return 0;
}

void mounts_parse(char *text, struct mounts *out) {
    char *rest = NULL;
    out->count = 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        struct mount mount;
        if (parse_mount(line, &mount))
            mounts_add(out, &mount);
    }
}

static int read_mounts(const char *root, struct mounts *mounts) {
    char path[512];
    struct buf content;
    buf_init(&content);
    int n = snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
    int rc = n < 0 || (size_t)n >= sizeof path ? SP_ETOOBIG : os_read_file(path, MOUNTINFO_MAX, &content);
    if (rc != 0 || buf_len(&content) == 0)
        goto out;
    char *text = strndup((const char *)buf_head(&content), buf_len(&content));
    if (text == NULL) {
        rc = SP_ENOMEM;
        goto out;
    }
    mounts_parse(text, mounts);
    free(text);
out:
    buf_fini(&content);
    return rc;
}

int filesystems_sample(const char *root, struct status *out) {
    struct statvfs space;
    struct mounts *mounts = calloc(1, sizeof *mounts);
    if (mounts == NULL)
        return SP_ENOMEM;
    int rc = read_mounts(root, mounts);
    for (size_t i = 0; rc == 0 && i < mounts->count; i++)
        if (measure(root, &mounts->items[i], &space))
            rc = tell(&mounts->items[i], &space, out);
    free(mounts);
    return rc;
}
