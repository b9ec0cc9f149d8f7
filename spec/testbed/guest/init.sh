#!/bin/busybox sh
# Process 1 of the testbed's emulated machine: mounts what a Linux userland expects, loads KVM, then becomes the agent.
#
# The root file system is the cached tree, read-only over virtio-fs; whatever may be written is a tmpfs, gone at power-off.
# The host names its other shares on the kernel command line: testbed.mounts=<tag>:<ro|rw|cow>,…  Each is mounted at /<tag>;
# "cow" puts a tmpfs over the host's directory, so that it looks writable and never changes.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LANG=C.UTF-8

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=0666 devpts /dev/pts
for directory in /dev/shm /run /tmp /var/tmp /var/log /root /home; do
  mount -t tmpfs -o mode=0755 tmpfs "$directory"
done
chmod 1777 /tmp /var/tmp /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
hostname testbed
ifconfig lo 127.0.0.1 up

modprobe kvm_amd nested=1
modprobe overlay
modprobe tun
modprobe vhost_net

mounts=$(sed -n 's/.*testbed\.mounts=\([^ ]*\).*/\1/p' /proc/cmdline)
for mount in $(echo "$mounts" | tr , ' '); do
  tag=${mount%:*}
  case ${mount#*:} in
    rw) mount -t virtiofs "$tag" "/$tag" ;;
    ro) mount -t virtiofs -o ro "$tag" "/$tag" ;;
    cow)
      mkdir -p "/run/lower/$tag" "/run/upper/$tag/data" "/run/upper/$tag/work"
      mount -t virtiofs -o ro "$tag" "/run/lower/$tag"
      mount -t overlay -o "lowerdir=/run/lower/$tag,upperdir=/run/upper/$tag/data,workdir=/run/upper/$tag/work" "$tag" "/$tag"
      ;;
  esac
done

cd /xenolith
for port in /sys/class/virtio-ports/*; do
  [ "$(cat "$port/name")" = testbed.agent ] && exec /usr/local/sbin/testbed-agent "/dev/${port##*/}"
done
echo "testbed init: no virtio-serial port is named testbed.agent"
poweroff -f
