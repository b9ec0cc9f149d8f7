/*
 * The plainest possible KVM_RUN loop, for the host: runs firmware.bin (see firmware.S) and prints what one exit costs, in
 * nanoseconds. No monitor on the same kernel can do better, so it is the yardstick of the port benchmarks.
 *
 * usage: kvm-loop FIRMWARE [ITERATIONS [PORT [DIRECTION]]]
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define IMAGE_SIZE 0x10000
#define IMAGE_BASE 0xffff0000ull
#define PARAMETERS 8
#define DEBUG_EXIT_PORT 0xf4

static void fail(const char *what) {
  fprintf(stderr, "kvm-loop: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int checked(int result, const char *what) {
  if (result < 0) fail(what);
  return result;
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void load_firmware(const char *path, uint8_t *image) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail(path);
  if (fread(image, 1, IMAGE_SIZE, file) != IMAGE_SIZE || memcmp(image, "XLBENCH1", 8) != 0) {
    fprintf(stderr, "kvm-loop: %s is not the benchmark firmware\n", path);
    exit(1);
  }
  fclose(file);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: kvm-loop FIRMWARE [ITERATIONS [PORT [DIRECTION]]]\n");
    return 2;
  }
  uint8_t *image = mmap(NULL, IMAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (image == MAP_FAILED) fail("mmap of the image");
  load_firmware(argv[1], image);
  struct {
    uint32_t iterations;
    uint16_t port;
    uint8_t direction, code;
  } parameters;
  memcpy(&parameters, image + PARAMETERS, sizeof parameters);
  if (argc > 2) parameters.iterations = (uint32_t)strtoul(argv[2], NULL, 0);
  if (argc > 3) parameters.port = (uint16_t)strtoul(argv[3], NULL, 0);
  if (argc > 4) parameters.direction = (uint8_t)strtoul(argv[4], NULL, 0);
  memcpy(image + PARAMETERS, &parameters, sizeof parameters);

  int kvm = checked(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
  int vm = checked(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
  ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000ul); /* wanted by Intel hosts only */
  struct kvm_userspace_memory_region region = {
    .guest_phys_addr = IMAGE_BASE, .memory_size = IMAGE_SIZE, .userspace_addr = (uintptr_t)image,
  };
  checked(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
  int vcpu = checked(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
  size_t run_size = (size_t)checked(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
  struct kvm_run *run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  if (run == MAP_FAILED) fail("mmap of kvm_run");

  uint64_t started = 0, exits = 0;
  for (;;) {
    if (ioctl(vcpu, KVM_RUN, 0) < 0 && errno != EINTR) fail("KVM_RUN");
    if (run->exit_reason != KVM_EXIT_IO) {
      fprintf(stderr, "kvm-loop: unexpected exit %u\n", run->exit_reason);
      return 1;
    }
    if (run->io.direction == KVM_EXIT_IO_OUT && run->io.port == DEBUG_EXIT_PORT) break;
    if (run->io.direction == KVM_EXIT_IO_IN) memset((uint8_t *)run + run->io.data_offset, 0xff, run->io.size);
    if (exits++ == 0) started = now_ns(); /* the first exit carries the start-up cost: it starts the clock */
  }
  uint64_t elapsed = now_ns() - started;
  printf("%.1f\n", exits > 0 ? (double)elapsed / (double)exits : 0.0);
  return 0;
}
