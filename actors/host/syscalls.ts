/** Numbers of the Linux x86-64 system calls that we make, and the names of the errors they give. */

/** arch/x86/entry/syscalls/syscall_64.tbl (asm/unistd_64.h). */
export const SYS = {
  read: 0,
  write: 1,
  open: 2,
  close: 3,
  mmap: 9,
  munmap: 11,
  rt_sigprocmask: 14,
  ioctl: 16,
  writev: 20,
  sched_yield: 24,
  madvise: 28,
  getpid: 39,
  socket: 41,
  connect: 42,
  accept: 43,
  recvfrom: 45,
  sendmsg: 46,
  recvmsg: 47,
  bind: 49,
  listen: 50,
  socketpair: 53,
  fcntl: 72,
  fdatasync: 75,
  ftruncate: 77,
  gettid: 186,
  tgkill: 234,
  fallocate: 285,
  rt_sigtimedwait: 128,
  eventfd2: 290,
  dup3: 292,
  ppoll: 271,
  preadv: 295,
  pwritev: 296,
  preadv2: 327,
  accept4: 288,
  memfd_create: 319,
} as const;

/** Returns the call's result, or -errno. Arguments are integers up to 2^53. */
// eslint-disable-next-line @typescript-eslint/max-params -- the kernel's own: a number and up to six arguments
export type Syscall = (nr: number, a?: number, b?: number, c?: number, d?: number, e?: number, f?: number) => number;

/** asm-generic/errno-base.h and errno.h: those that our calls meet. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EPIPE: 32,
  ENOSYS: 38,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ECONNRESET: 104,
  ENOTCONN: 107,
  ECONNREFUSED: 111,
} as const;

const NAMES = new Map<number, string>(Object.entries(ERRNO).map(([name, value]) => [value, name]));

/** "ENOENT" for 2; "errno 133" for one that is not in the table. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** What usually helps, for the errors that people meet. */
export const HINTS: Readonly<Record<string, string>> = {
  EACCES: "check the permissions, and that you are in the right group (kvm for /dev/kvm)",
  ENOMEM: "the host is out of memory or a limit (ulimit -v, cgroup) is too low",
  EMFILE: "raise the limit on open files (ulimit -n)",
  ENOSPC: "the host's disk is full",
};
