/* Runs a fuzz target over the files of the folders given: what libFuzzer does, where there is no libFuzzer. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX ((size_t)1 << 20)

static int replay_file(const char *path) {
    uint8_t *data = malloc(INPUT_MAX);
    FILE *file = fopen(path, "rb");
    int rc = -1;
    if (!data || !file) {
        perror(path);
        goto out;
    }
    size_t len = fread(data, 1, INPUT_MAX, file);
    /* A copy of just that size, so that a sanitizer sees each byte read beyond its end. */
    uint8_t *exact = malloc(len ? len : 1);
    if (!exact)
        goto out;
    for (size_t i = 0; i < len; i++)
        exact[i] = data[i];
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    rc = 0;
out:
    if (file)
        fclose(file);
    free(data);
    return rc;
}

static int replay_folder(const char *folder) {
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int files = 0, rc = 0;
    if (!dir) {
        perror(folder);
        return -1;
    }
    while (rc == 0 && (entry = readdir(dir))) {
        char path[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        int n = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        rc = n < 0 || (size_t)n >= sizeof(path) ? -1 : replay_file(path);
        files++;
    }
    closedir(dir);
    printf("%s: %d inputs\n", folder, files);
    return rc || files == 0 ? -1 : 0;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (replay_folder(argv[i]))
            return 1;
    }
    return argc > 1 ? 0 : 2;
}
