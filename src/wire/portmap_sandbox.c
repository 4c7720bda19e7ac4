#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "portmap_local.h"
#include "sallyport/base/seal.h"

#ifndef __has_feature
#    define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
#    define MEMORY_IS_MARKED 1 /* a sanitizer reserves terabytes */
#else
#    define MEMORY_IS_MARKED 0
#endif

enum {
    NOBODY = 65534,
    CPU_S = 10,
    FILES = 32,
    DATA_BYTES = 48 << 20,
    SPACE_BYTES = 512 << 20,
};

#if defined(__x86_64__)
#    define SANDBOX_ARCH AUDIT_ARCH_X86_64
#    define SANDBOX_FOREIGN 0x40000000U /* numbers from here on are those of x32 */
#elif defined(__aarch64__)
#    define SANDBOX_ARCH AUDIT_ARCH_AARCH64
#    define SANDBOX_FOREIGN 0x40000000U
#endif

/* What no answer of a router is a reason for: files, other programs, other processes, another kernel interface. */
static const int sandbox_denied[] = {
#ifdef __NR_open
    __NR_open,
    __NR_creat,
    __NR_unlink,
    __NR_rename,
    __NR_mkdir,
    __NR_chmod,
    __NR_fork,
    __NR_vfork,
#endif
    __NR_openat,
    __NR_openat2,
    __NR_open_by_handle_at,
    __NR_unlinkat,
    __NR_renameat,
    __NR_renameat2,
    __NR_linkat,
    __NR_symlinkat,
    __NR_mkdirat,
    __NR_mknodat,
    __NR_fchmodat,
    __NR_fchownat,
    __NR_truncate,
    __NR_clone,
    __NR_clone3,
    __NR_execve,
    __NR_execveat,
    __NR_ptrace,
    __NR_process_vm_readv,
    __NR_process_vm_writev,
    __NR_pidfd_open,
    __NR_pidfd_getfd,
    __NR_kill,
    __NR_tkill,
    __NR_tgkill,
    __NR_unshare,
    __NR_setns,
    __NR_mount,
    __NR_bpf,
    __NR_perf_event_open,
    __NR_userfaultfd,
    __NR_io_uring_setup,
    __NR_keyctl,
    __NR_add_key,
    __NR_request_key,
};

static int sandbox_limit(void) {
    const struct {
        int what;
        rlim_t most;
        bool marked;
    } limits[] = {
        {RLIMIT_CPU, CPU_S, true},  {RLIMIT_FSIZE, 0, true},          {RLIMIT_CORE, 0, true},
        {RLIMIT_NPROC, 0, true},    {RLIMIT_NOFILE, FILES, true},     {RLIMIT_MEMLOCK, 0, true},
        {RLIMIT_MSGQUEUE, 0, true}, {RLIMIT_DATA, DATA_BYTES, false}, {RLIMIT_AS, SPACE_BYTES, false},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        const struct rlimit limit = {.rlim_cur = limits[i].most, .rlim_max = limits[i].most};
        if ((limits[i].marked || !MEMORY_IS_MARKED) && setrlimit((__rlimit_resource_t)limits[i].what, &limit) != 0)
            return SP_ESYS;
    }
    return 0;
}

/* A folder of our own /proc entry: empty for others, and gone when we are. Best effort: Landlock and the filter deny
 * files, too. */
static void sandbox_leave_files(void) {
    if (chdir("/proc/self/fdinfo") != 0 || chroot(".") != 0 || chdir("/") != 0)
        errno = 0;
}

/* Another user, when we are root. A root without the right to become one (a container) keeps its name, and loses its
 * capabilities as everybody does: *kept. */
static int sandbox_drop_rights(bool *kept) {
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{.effective = 0}};
    *kept = false;
    if (geteuid() == 0) {
        sandbox_leave_files();
        if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
            setresuid(NOBODY, NOBODY, NOBODY) != 0) {
            if (errno != EPERM && errno != EINVAL) /* EINVAL: that user does not exist in a user namespace */
                return SP_ESYS;
            *kept = true;
        }
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 || syscall(SYS_capset, &head, none) != 0)
        return SP_ESYS;
    return 0;
}

/* Everything that this kernel can deny, without an exception. Not every kernel has it. */
static void sandbox_seal(void) {
    struct seal seal;
    if (seal_init(&seal) == 0)
        (void)seal_apply(&seal);
    seal_fini(&seal);
}

/* SP_ENOENT: not on this kernel. */
static int sandbox_filter(void) {
#ifdef SANDBOX_ARCH
    enum { DENIED = sizeof sandbox_denied / sizeof sandbox_denied[0], SIZE = 2 * DENIED + 16 };
    struct sock_filter code[SIZE];
    const unsigned load = BPF_LD | BPF_W | BPF_ABS, equal = BPF_JMP | BPF_JEQ | BPF_K, leave = BPF_RET | BPF_K;
    unsigned n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(load, offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(equal, SANDBOX_ARCH, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(leave, SECCOMP_RET_KILL_PROCESS);
    code[n++] = (struct sock_filter)BPF_STMT(load, offsetof(struct seccomp_data, nr));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SANDBOX_FOREIGN, 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(leave, SECCOMP_RET_ERRNO | EPERM);
    for (unsigned i = 0; i < DENIED; i++) {
        code[n++] = (struct sock_filter)BPF_JUMP(equal, (unsigned)sandbox_denied[i], 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(leave, SECCOMP_RET_ERRNO | EPERM);
    }
    /* Sockets of the internet and of routing only: none to other programs of this machine. */
    code[n++] = (struct sock_filter)BPF_JUMP(equal, __NR_socket, 0, 5);
    code[n++] = (struct sock_filter)BPF_STMT(load, offsetof(struct seccomp_data, args[0]));
    code[n++] = (struct sock_filter)BPF_JUMP(equal, AF_INET, 3, 0);
    code[n++] = (struct sock_filter)BPF_JUMP(equal, AF_INET6, 2, 0);
    code[n++] = (struct sock_filter)BPF_JUMP(equal, AF_NETLINK, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(leave, SECCOMP_RET_ERRNO | EPERM);
    code[n] = (struct sock_filter)BPF_STMT(leave, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = {.len = (unsigned short)(n + 1), .filter = code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
        return 0;
    return errno == EINVAL ? SP_ENOENT : SP_ESYS;
#else
    return SP_ENOENT;
#endif
}

int portmap_sandbox(void) {
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return SP_ESYS;
    bool kept;
    int rc = sandbox_drop_rights(&kept);
    if (rc == 0)
        rc = sandbox_limit();
    /* After the change of user, which forgets it. */
    if (rc == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        rc = SP_ESYS;
    if (rc != 0)
        return rc;
    sandbox_seal();
    rc = sandbox_filter();
    /* A kernel without filters still has the rest; but something has to keep a root's name from being of use. */
    return rc == SP_ENOENT && !kept ? 0 : rc;
}
