/* What some file systems do, for any process that loads this library before the system's own (LD_PRELOAD).
   FAULT names it, or several; FAULT_UNDER is the folder whose files it concerns; FAULT_AT is the call at which "off" ends
   the process, as a power failure would. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is(const char *fault) {
    const char *named = getenv("FAULT");
    const char *found = named ? strstr(named, fault) : NULL;
    size_t length = strlen(fault);
    return found && (found == named || found[-1] == ' ') && (!found[length] || found[length] == ' ');
}

static int concerned(const char *path) {
    const char *under = getenv("FAULT_UNDER");
    char full[8192] = "";
    if (!under) return 1;
    if (path[0] != '/' && getcwd(full, 4096)) strcat(full, "/");
    strncat(full, path, 4000);
    return !strncmp(full, under, strlen(under));
}

static int file_concerned(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return path[0] == '/' && concerned(path);
}

static void count(int counts) {
    static int calls = 0;
    if (counts && is("off") && ++calls == atoi(getenv("FAULT_AT"))) kill(getpid(), SIGKILL);
}

static int refuse(int error) { errno = error; return -1; }

int chmod(const char *path, mode_t mode) {
    return is("chmod") && concerned(path) ? refuse(EPERM) : REAL(chmod)(path, mode);
}
int fchmod(int fd, mode_t mode) {
    return is("chmod") && file_concerned(fd) ? refuse(EPERM) : REAL(fchmod)(fd, mode);
}
int fchmodat(int fd, const char *path, mode_t mode, int flags) {
    return is("chmod") && concerned(path) ? refuse(EPERM) : REAL(fchmodat)(fd, path, mode, flags);
}

int flock(int fd, int operation) {
    if (is("flock-enolck")) return refuse(ENOLCK);
    if (is("flock-enosys")) return refuse(ENOSYS);
    return REAL(flock)(fd, operation);
}

static int locks(int command) {
    return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
}
int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return is("posix-locks") && locks(command) ? refuse(ENOLCK) : REAL(fcntl)(fd, command, argument);
}
int fcntl64(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return is("posix-locks") && locks(command) ? refuse(ENOLCK) : REAL(fcntl64)(fd, command, argument);
}

int fsync(int fd) {
    count(file_concerned(fd));
    return is("fsync") && file_concerned(fd) ? refuse(EINVAL) : REAL(fsync)(fd);
}
ssize_t write(int fd, const void *buffer, size_t size) {
    count(file_concerned(fd));
    if (is("io") && file_concerned(fd)) return refuse(EIO);
    return REAL(write)(fd, buffer, size);
}
int mkdir(const char *path, mode_t mode) {
    count(concerned(path));
    return REAL(mkdir)(path, mode);
}
int unlink(const char *path) {
    count(concerned(path));
    return REAL(unlink)(path);
}
int unlinkat(int fd, const char *path, int flags) {
    count(file_concerned(fd));
    return REAL(unlinkat)(fd, path, flags);
}

struct pair { char *from, *to; int turn; };
static _Atomic int turns, next_turn;
static void *later(void *argument) {
    struct pair *both = argument;
    sleep(2);
    while (next_turn != both->turn) usleep(1000);  /* late, but in their order */
    REAL(rename)(both->from, both->to);
    next_turn++;
    return NULL;
}
int rename(const char *from, const char *to) {
    count(concerned(to));
    if (is("late") && concerned(to)) {
        pthread_t thread;
        struct pair *both = malloc(sizeof *both);
        both->from = strdup(from);
        both->to = strdup(to);
        both->turn = turns++;
        pthread_create(&thread, NULL, later, both);
        return 0;
    }
    int done = REAL(rename)(from, to);
    count(concerned(to));
    return done;
}
