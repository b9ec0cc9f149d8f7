/*
 * The command agent of the testbed: process 1 of the emulated machine once init.sh has set it up.
 *
 * It reads requests from one virtio-serial port, runs each command in a cgroup of its own and sends back output and exit
 * status. spec/testbed/protocol.ts is the other end and describes the frames; the two change together.
 *
 * Order of events for one command: RUN -> (STDOUT | STDERR)* -> EXIT. EXIT follows the last byte of output: when the command's
 * first process ends, whatever it left behind is killed through the cgroup, and the pipes are then read to their end.
 * The host going away (HUP on the port) powers the machine off, so that a killed test run leaves no machine behind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  PROTOCOL_VERSION = 1,
  HEADER_BYTES = 9,           /* u32 payload length, u8 type, u32 channel, little endian */
  MAX_PAYLOAD = 1 << 20,      /* bytes; a longer frame means that the two ends disagree */
  OUTPUT_CHUNK = 32 * 1024,   /* bytes of output in one frame */
  MAX_RUNS = 64,
  CANNOT_START = 127,         /* exit code of a command whose shell could not be started */
};

/* Frame types, host to agent. */
enum { RUN = 1, INPUT = 2, KILL = 3, RESIZE = 4, POWEROFF = 5 };
/* Frame types, agent to host. */
enum { READY = 16, STDOUT = 17, STDERR = 18, EXIT = 19, REFUSED = 20 };
/* First byte of a RUN payload: where the command's standard input comes from. */
enum { STDIN_NULL = 0, STDIN_PIPE = 1, STDIN_PTY = 2 };

struct run {
  int used;
  uint32_t channel;
  pid_t pid;
  int exited;
  int status;              /* as of waitpid, valid when exited */
  int in, out, err;        /* our ends; -1 when closed. A pty has in == out and no err. */
  int pty;
  int input_ended;         /* the host sent an empty INPUT: close `in` when the queue is empty */
  unsigned char *queue;    /* input that the command has not taken yet */
  size_t queued;
};

static struct run runs[MAX_RUNS];
static int port_fd;

static void die(const char *what)
{
  fprintf(stderr, "testbed agent: %s: %s\n", what, strerror(errno));
  sync();
  reboot(RB_POWER_OFF);
  _exit(1);
}

static void power_off(void)
{
  sync();
  reboot(RB_POWER_OFF);
}

/* Waits until the port can be read or written. The host hanging up ends the machine here. */
static void wait_port(short events)
{
  struct pollfd waiting = { .fd = port_fd, .events = events };

  if (poll(&waiting, 1, -1) < 0 && errno != EINTR)
    die("poll of the port");
  if (waiting.revents & POLLHUP)
    power_off();
}

static void write_port(const void *data, size_t length)
{
  const unsigned char *bytes = data;

  while (length > 0) {
    ssize_t written = write(port_fd, bytes, length);
    if (written > 0) {
      bytes += written;
      length -= (size_t)written;
    } else if (written < 0 && errno != EAGAIN && errno != EINTR) {
      power_off();
    } else {
      wait_port(POLLOUT);
    }
  }
}

static void read_port(void *data, size_t length)
{
  unsigned char *bytes = data;

  while (length > 0) {
    ssize_t got = read(port_fd, bytes, length);
    if (got > 0) {
      bytes += got;
      length -= (size_t)got;
    } else if (got == 0) {
      power_off();
    } else if (errno != EAGAIN && errno != EINTR) {
      die("read of the port");
    } else {
      wait_port(POLLIN);
    }
  }
}

static uint32_t load32(const unsigned char *at)
{
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void store32(unsigned char *at, uint32_t value)
{
  for (int i = 0; i < 4; i++)
    at[i] = (unsigned char)(value >> (8 * i));
}

static void send_frame(int type, uint32_t channel, const void *payload, size_t length)
{
  unsigned char header[HEADER_BYTES];

  store32(header, (uint32_t)length);
  header[4] = (unsigned char)type;
  store32(header + 5, channel);
  write_port(header, sizeof header);
  write_port(payload, length);
}

static void refuse(uint32_t channel, const char *reason)
{
  send_frame(REFUSED, channel, reason, strlen(reason));
}

static struct run *find_run(uint32_t channel)
{
  for (int i = 0; i < MAX_RUNS; i++)
    if (runs[i].used && runs[i].channel == channel)
      return &runs[i];
  return NULL;
}

static void cgroup_file(char *path, size_t size, uint32_t channel, const char *file)
{
  snprintf(path, size, "/sys/fs/cgroup/run-%u%s", channel, file);
}

static void write_cgroup(uint32_t channel, const char *file, const char *text)
{
  char path[64];
  int fd;

  cgroup_file(path, sizeof path, channel, file);
  fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0)
    fprintf(stderr, "testbed agent: %s: %s\n", path, strerror(errno));
  if (fd >= 0)
    close(fd);
}

/* Ends every process of the command, those that made sessions of their own included. */
static void kill_run(const struct run *run)
{
  write_cgroup(run->channel, "/cgroup.kill", "1");
}

static void close_end(int *fd)
{
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

static void set_window(int fd, const unsigned char *rows_columns)
{
  struct winsize size = { .ws_row = (unsigned short)(rows_columns[0] | rows_columns[1] << 8),
                          .ws_col = (unsigned short)(rows_columns[2] | rows_columns[3] << 8) };

  ioctl(fd, TIOCSWINSZ, &size);
}

/* In the new process: takes its place in the cgroup and becomes the shell. */
static void become_command(uint32_t channel, int in, int out, int err, const char *command)
{
  sigset_t none;

  write_cgroup(channel, "/cgroup.procs", "0");
  setsid();
  if (in == out)
    ioctl(in, TIOCSCTTY, 0);
  dup2(in, 0);
  dup2(out, 1);
  dup2(err, 2);
  close_range(3, ~0U, 0);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  execl("/bin/sh", "sh", "-c", command, (char *)NULL);
  _exit(CANNOT_START);
}

/* Makes the command's standard streams: fds[0..2] for it, run->in/out/err for us. Returns 0 or -1. */
static int open_streams(struct run *run, int mode, int fds[3])
{
  int in[2] = { -1, -1 }, out[2], err[2];

  if (mode == STDIN_PTY) {
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
      return -1;
    fds[0] = fds[1] = fds[2] = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    run->in = run->out = master;
    run->err = -1;
    run->pty = 1;
    return fds[0] < 0 ? -1 : 0;
  }
  if (mode == STDIN_PIPE) {
    if (pipe2(in, O_CLOEXEC) < 0)
      return -1;
  } else {
    in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
    return -1;
  fds[0] = in[0];
  fds[1] = out[1];
  fds[2] = err[1];
  run->in = in[1];
  run->out = out[0];
  run->err = err[0];
  if (run->in >= 0)
    fcntl(run->in, F_SETFL, O_NONBLOCK);
  return 0;
}

/* RUN: u8 where stdin comes from, u16 rows, u16 columns, then the command line. */
static void start_run(uint32_t channel, unsigned char *payload, size_t length)
{
  struct run *run = NULL;
  char path[64];
  char *command;
  int fds[3];

  if (length < 5 || find_run(channel))
    return refuse(channel, "malformed RUN");
  for (int i = 0; i < MAX_RUNS && !run; i++)
    if (!runs[i].used)
      run = &runs[i];
  if (!run)
    return refuse(channel, "too many commands at once");
  memset(run, 0, sizeof *run);
  run->channel = channel;
  if (open_streams(run, payload[0], fds) < 0)
    return refuse(channel, strerror(errno));
  if (run->pty) {
    set_window(run->out, payload + 1);
    fcntl(run->out, F_SETFL, O_NONBLOCK);
  }
  cgroup_file(path, sizeof path, channel, "");
  mkdir(path, 0755);
  command = strndup((char *)payload + 5, length - 5);
  run->pid = fork();
  if (run->pid == 0)
    become_command(channel, fds[0], fds[1], fds[2], command);
  free(command);
  close(fds[0]);
  if (!run->pty) {
    close(fds[1]);
    close(fds[2]);
  }
  if (run->pid < 0) {
    refuse(channel, strerror(errno));
    return;
  }
  run->used = 1;
}

/* Gives the command as much of its input as it takes now. */
static void feed(struct run *run)
{
  while (run->in >= 0 && run->queued > 0) {
    ssize_t written = write(run->in, run->queue, run->queued);
    if (written < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (written < 0) { /* nobody reads any more */
      run->queued = 0;
      if (!run->pty)
        close_end(&run->in);
      return;
    }
    run->queued -= (size_t)written;
    memmove(run->queue, run->queue + written, run->queued);
  }
  if (run->input_ended && !run->pty)
    close_end(&run->in);
}

static void take_input(struct run *run, const unsigned char *payload, size_t length)
{
  if (run->in < 0)
    return;
  if (length == 0)
    run->input_ended = 1;
  run->queue = realloc(run->queue, run->queued + length + 1);
  if (!run->queue)
    die("realloc");
  memcpy(run->queue + run->queued, payload, length);
  run->queued += length;
  feed(run);
}

static void take_frame(void)
{
  static unsigned char payload[MAX_PAYLOAD];
  unsigned char header[HEADER_BYTES];
  uint32_t length, channel;
  struct run *run;

  read_port(header, sizeof header);
  length = load32(header);
  channel = load32(header + 5);
  if (length > sizeof payload) {
    errno = EPROTO;
    die("frame too long");
  }
  read_port(payload, length);
  if (header[4] == POWEROFF)
    power_off();
  if (header[4] == RUN)
    return start_run(channel, payload, length);
  run = find_run(channel);
  if (!run)
    return; /* it ended while the frame was under way */
  if (header[4] == INPUT)
    take_input(run, payload, length);
  else if (header[4] == KILL)
    kill_run(run);
  else if (header[4] == RESIZE && run->pty && length == 4)
    set_window(run->out, payload);
}

static void finish_run(struct run *run)
{
  char path[64];
  unsigned char how[2];

  how[0] = WIFSIGNALED(run->status) ? 1 : 0;
  how[1] = (unsigned char)(how[0] ? WTERMSIG(run->status) : WEXITSTATUS(run->status));
  if (!run->pty)
    close_end(&run->in);
  free(run->queue);
  run->used = 0;
  cgroup_file(path, sizeof path, run->channel, "");
  rmdir(path); /* fails while a killed process still ends; an empty cgroup harms nobody */
  send_frame(EXIT, run->channel, how, sizeof how);
}

/* One read of a command's output; closes our end at the end of the stream. */
static void forward(struct run *run, int *fd, int type)
{
  static unsigned char chunk[OUTPUT_CHUNK];
  ssize_t got = read(*fd, chunk, sizeof chunk);

  if (got > 0)
    send_frame(type, run->channel, chunk, (size_t)got);
  else if (got == 0 || (errno != EAGAIN && errno != EINTR)) /* a pty says EIO when its last user is gone */
    close_end(fd);
}

static void reap(int signal_fd)
{
  struct signalfd_siginfo info;
  int status;
  pid_t pid;

  while (read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
    ;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
    for (int i = 0; i < MAX_RUNS; i++)
      if (runs[i].used && !runs[i].exited && runs[i].pid == pid) {
        runs[i].exited = 1;
        runs[i].status = status;
        kill_run(&runs[i]);
      }
}

static void serve(int signal_fd)
{
  struct pollfd fds[2 + 3 * MAX_RUNS];
  int count = 2;

  fds[0] = (struct pollfd){ .fd = port_fd, .events = POLLIN };
  fds[1] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
  for (int i = 0; i < MAX_RUNS; i++) {
    struct run *run = &runs[i];
    short output = POLLIN | (run->pty && run->queued ? POLLOUT : 0);
    fds[count++] = (struct pollfd){ .fd = run->used ? run->out : -1, .events = output };
    fds[count++] = (struct pollfd){ .fd = run->used ? run->err : -1, .events = POLLIN };
    fds[count++] = (struct pollfd){ .fd = run->used && !run->pty && run->queued ? run->in : -1, .events = POLLOUT };
  }
  if (poll(fds, (nfds_t)count, -1) < 0 && errno != EINTR)
    die("poll");
  if (fds[1].revents)
    reap(signal_fd);
  for (int i = 0; i < MAX_RUNS; i++) {
    struct run *run = &runs[i];
    struct pollfd *at = &fds[2 + 3 * i];
    if (!run->used)
      continue;
    if (at[2].revents || (run->pty && (at[0].revents & POLLOUT)))
      feed(run);
    if (run->out >= 0 && (at[0].revents & (POLLIN | POLLHUP | POLLERR)))
      forward(run, &run->out, STDOUT);
    if (run->err >= 0 && at[1].revents)
      forward(run, &run->err, STDERR);
    if (run->out < 0 && run->pty)
      run->in = -1; /* the same descriptor */
    if (run->exited && run->out < 0 && run->err < 0)
      finish_run(run);
  }
  if (fds[0].revents & POLLIN)
    take_frame();
  else if (fds[0].revents & POLLHUP)
    power_off();
}

/*
 * Keeps a virtual machine that never runs, with all that a test's machine switches on in KVM. The kernel rewrites its own
 * code when the first such machine comes and when the last one goes (static keys: preempt_notifier_key in its scheduler,
 * kvm_xen_enabled and others in KVM). The emulator does not notice when a processor runs code that another one rewrites at
 * that very moment, and goes on with its old translation: "Oops: int3" in __schedule, or worse. With this machine there is
 * always one more, and nothing is rewritten.
 */
static void hold_kvm(void)
{
  struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
  struct kvm_xen_hvm_config xen = { .flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL, .msr = 0x40000000 };
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  int vm = ioctl(kvm, KVM_CREATE_VM, 0);

  if (kvm < 0 || vm < 0 || ioctl(vm, KVM_ENABLE_CAP, &split) < 0 || ioctl(vm, KVM_XEN_HVM_CONFIG, &xen) < 0 ||
      ioctl(vm, KVM_CREATE_VCPU, 0) < 0)
    die("a machine of its own"); /* all of its descriptors stay open */
}

int main(int argc, char **argv)
{
  unsigned char version = PROTOCOL_VERSION;
  sigset_t children;
  int signal_fd;

  if (argc != 2) {
    errno = EINVAL;
    die("usage: agent <virtio-serial port>");
  }
  port_fd = open(argv[1], O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (port_fd < 0)
    die(argv[1]);
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, NULL);
  signal_fd = signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signal_fd < 0)
    die("signalfd");
  hold_kvm();
  send_frame(READY, 0, &version, 1);
  for (;;)
    serve(signal_fd);
}
